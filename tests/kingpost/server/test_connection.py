"""One connection at a time, without a socket."""

import asyncio
from typing import Any

import pytest
from tests.kingpost.support import until
from uvicorn.server import ServerState

from kingpost.server import GuardedProtocol
from kingpost.server.configuration import ServerConfig
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
    body = connection._head._handle
    connection.data_received(b"b")
    assert connection._head._handle is body  # each byte does not buy more time

    connection.data_received(b"c" + HEAD)
    assert body.cancelled()
    assert connection._head._handle not in (None, body)
    connection.data_received(b"\r\n")
    await answered(connection, 2)
    connection.connection_lost(None)


async def test_a_connection_has_one_timer_however_many_requests_it_serves(connection):
    timer = connection._idle._handle
    for number in range(3):
        connection.data_received(HEAD + b"\r\n")
        await answered(connection, number + 1)
        assert connection._idle._handle is timer

    connection.connection_lost(None)
    assert timer.cancelled()


def test_the_fast_event_loop_and_the_fast_parser_are_in_use(config):
    factory = config.get_loop_factory()
    assert factory is not None
    loop = factory()
    loop.close()

    assert type(loop).__module__ == "uvloop"
    assert config.http_protocol_class is GuardedProtocol
    assert not config.access_log
