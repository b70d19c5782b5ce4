"""One connection at a time, without a socket."""

import asyncio
from typing import Any

import pytest
from tests.kingpost.support import until
from uvicorn.server import ServerState

from kingpost.server import GuardedProtocol
from kingpost.server.configuration import ServerConfig
from kingpost.server.countdown import Countdown
from kingpost.server.patience import Wait
from kingpost.settings import ServiceSettings

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 5), "sockname": ("127.0.0.1", 80)})
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def answer(_scope: Any, _receive: Any, send: Any) -> None:
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def config() -> ServerConfig:
    made = ServerConfig(answer, ServiceSettings())
    made.load()
    made.loaded_app = answer
    return made


@pytest.fixture
async def connection(config: ServerConfig) -> GuardedProtocol:
    loop = asyncio.get_running_loop()
    made = GuardedProtocol(config, ServerState(), {}, loop)
    made.connection_made(Wire())
    return made


async def answered(connection: GuardedProtocol, times: int) -> None:
    await until(lambda: connection.server_state.total_requests >= times and not connection.tasks)


async def test_an_idle_connection_keeps_nothing_of_its_last_request(connection):
    connection.data_received(HEAD + b"\r\n")
    await answered(connection, 1)
    assert connection.cycle is None
    assert connection.headers == []

    connection.data_received(HEAD + b"\r\n")
    await answered(connection, 2)
    connection.connection_lost(None)


async def test_content_that_comes_after_the_answer_is_still_that_requests(connection):
    connection.data_received(HEAD + b"Content-Length: 3\r\n\r\n")
    await answered(connection, 1)
    assert connection.cycle.response_complete

    connection.data_received(b"abc" + HEAD + b"\r\n")
    await answered(connection, 2)
    assert connection.cycle is None
    connection.connection_lost(None)


async def test_the_rest_of_a_body_and_the_head_after_it_have_a_time_each(connection):
    connection.data_received(HEAD + b"Content-Length: 3\r\n\r\n")
    await answered(connection, 1)
    connection.data_received(b"a")
    body = connection.patience.head._handle
    connection.data_received(b"b")
    assert connection.patience.head._handle is body  # each byte does not buy more time

    connection.data_received(b"c" + HEAD)
    assert body.cancelled()
    assert connection.patience.head._handle not in (None, body)
    connection.data_received(b"\r\n")
    await answered(connection, 2)
    connection.connection_lost(None)


@pytest.fixture
def full(config: ServerConfig) -> None:
    """The process has as much to do as it may have."""
    assert config.shedding is not None
    config.shedding.working = config.shedding.most


@pytest.mark.usefixtures("full")
async def test_a_refused_request_leaves_its_connection_as_idle_as_a_served_one(connection):
    connection.data_received(HEAD + b"\r\n")

    assert connection.transport._transport.written.startswith(b"HTTP/1.1 503 ")
    assert connection.patience.head.since is None
    assert connection.patience.turn().wait is Wait.IDLE
    assert (connection.cycle, connection.headers) == (None, [])
    connection.connection_lost(None)


@pytest.mark.usefixtures("full")
async def test_a_head_that_begins_behind_a_refusal_has_its_time(connection):
    connection.data_received(HEAD + b"\r\n" + HEAD)

    assert connection.patience.head.since is not None
    connection.connection_lost(None)


@pytest.mark.usefixtures("full")
async def test_a_client_may_leave_in_the_middle_of_a_refused_request(connection):
    connection.data_received(HEAD + b"Content-Length: 3\r\n\r\na")
    assert connection.transport._transport.written.count(b"HTTP/1.1 503 ") == 1

    connection.connection_lost(None)


async def test_a_connection_has_one_timer_however_many_requests_it_serves(connection):
    timer = connection.patience.idle._handle
    for number in range(3):
        connection.data_received(HEAD + b"\r\n")
        await answered(connection, number + 1)
        assert connection.patience.idle._handle is timer

    connection.connection_lost(None)
    assert timer.cancelled()


async def test_the_time_of_content_begins_when_the_application_waits_for_it(connection):
    connection.app, turn = reads_at_its_turn(first := asyncio.Event()), connection.patience.turn
    connection.data_received(HEAD + b"\r\n")
    connection.data_received(HEAD + b"Content-Length: 3\r\n\r\n")
    queued = connection.cycle
    await asyncio.sleep(0)
    assert (turn(), connection.patience.content.since) == (None, None)

    first.set()
    await until(lambda: queued.receives)
    begun = connection.patience.content.since
    assert turn() == (Wait.SENDING, begun)
    connection.data_received(b"a")
    await until(lambda: queued.receives)
    assert connection.patience.content.since == begun  # each byte does not buy more time

    connection.data_received(b"bc")
    assert connection.patience.content.since is None
    await answered(connection, 2)
    connection.connection_lost(None)


def reads_at_its_turn(first: asyncio.Event) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await first.wait()
        while (await receive())["more_body"]:
            pass
        await answer(scope, receive, send)

    return app


async def test_content_is_not_late_while_the_application_does_something_else(connection):
    reads, goes_on = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        reads.set()
        await goes_on.wait()
        assert (await receive())["body"] == b"bc"
        await answer(scope, receive, send)

    connection.app = app
    connection.data_received(HEAD + b"Content-Length: 3\r\n\r\n")
    await until(lambda: connection.cycle.receives)
    connection.data_received(b"a")
    await reads.wait()
    connection.patience.content._over()
    assert connection.cycle.keep_alive
    assert connection.patience.turn() is None

    connection.data_received(b"bc")
    goes_on.set()
    await answered(connection, 1)
    connection.connection_lost(None)


async def test_content_that_arrives_with_its_head_starts_no_timer(connection, monkeypatch):
    started = []
    monkeypatch.setattr(Countdown, "start", started.append)
    go = asyncio.Event()
    go.set()
    connection.app = reads_at_its_turn(go)
    connection.data_received(HEAD + b"Content-Length: 3\r\n\r\nabc")
    await answered(connection, 1)

    assert started == []
    connection.connection_lost(None)


def test_the_fast_event_loop_and_the_fast_parser_are_in_use(config):
    factory = config.get_loop_factory()
    assert factory is not None
    loop = factory()
    loop.close()

    assert type(loop).__module__ == "uvloop"
    assert config.http_protocol_class is GuardedProtocol
    assert not config.access_log
