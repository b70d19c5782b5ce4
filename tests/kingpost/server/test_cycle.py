"""What our cycle writes is what uvicorn's would write."""

import asyncio
import logging
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from kingpost.server import State
from kingpost.server.countdown import Countdown
from kingpost.server.cycle import Cycle
from kingpost.server.shedding import Shedding

DATE = (b"date", b"Sun, 22 Nov 2026 06:00:00 GMT")


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    @property
    def text(self) -> bytes:
        return b"".join(self.writes)


def scope(method: str = "GET", *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http", "method": method, "headers": list(headers)}


def ours(wire: Wire, asked: dict[str, Any], defaults: list[Any], keep_alive: bool) -> Cycle:
    protocol = SimpleNamespace(
        transport=wire,
        flow=FlowControl(wire),
        server_state=SimpleNamespace(default_headers=defaults),
        on_response_complete=lambda: None,
        tasks=set(),
        shedding=Shedding(512, State()),
        patience=SimpleNamespace(content=Countdown(asyncio.get_running_loop(), 60, lambda: None)),
    )
    return Cycle(protocol, asked, keep_alive=keep_alive)


def theirs(
    wire: Wire, asked: dict[str, Any], defaults: list[Any], keep_alive: bool
) -> RequestResponseCycle:
    logger = logging.getLogger("uvicorn.error")
    return RequestResponseCycle(
        scope=asked,
        transport=wire,
        flow=FlowControl(wire),
        logger=logger,
        access_logger=logger,
        access_log=False,
        default_headers=defaults,
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: None,
    )


async def sent(make: Any, asked: Any, messages: list[Any], *options: Any) -> tuple[Any, ...]:
    """All that can be seen from outside after these messages."""
    wire = Wire()
    cycle = make(wire, asked, *options)
    refused = False
    for message in messages:
        try:
            await cycle.send(message)
        except RuntimeError:
            refused = True
            break
    if refused:
        return refused, cycle.response_complete, wire.closed
    state = (cycle.response_started, cycle.response_complete, cycle.keep_alive, wire.closed)
    # A head of known length is kept back for its content.
    text = wire.text if cycle.response_complete or cycle.chunked_encoding else b""
    return text.lower(), state


FRAMINGS = [
    [],
    [(b"content-length", b"3")],
    [(b"Content-Length", b"6")],
    [(b"content-length", b"0")],
    [(b"transfer-encoding", b"chunked")],
    [(b"Transfer-Encoding", b"Chunked"), (b"content-length", b"3")],
    [(b"transfer-encoding", b"gzip")],
]
NAMES = [b"connection", b"Connection", b"x-a", b"X-B", b"set-cookie", b"x\xff"]
VALUES = [b"close", b"keep-alive, Close", b"closed", b"a b\tc", b"\xff", b""]
BAD_NAMES = [b"bad name", b"bad:", b"(bad)", b"x\r\n", b"x\0"]
BAD_VALUES = [b"a\r\nb: c", b"\0", b"\x7f", b"a\n", b"a\r"]


def some_headers(random: Random) -> list[tuple[bytes, bytes]]:
    bad = random.random() < 0.2
    names, values = NAMES + bad * BAD_NAMES, VALUES + bad * BAD_VALUES
    others = [(random.choice(names), random.choice(values)) for _ in range(random.randint(0, 3))]
    headers = [*random.choice(FRAMINGS), *others]
    random.shuffle(headers)
    return headers


def some_messages(random: Random) -> list[dict[str, Any]]:
    status = random.choice([200, 201, 204, 304, 404, 503])
    start = {"type": "http.response.start", "status": status, "headers": some_headers(random)}
    bodies = [
        {
            "type": "http.response.body",
            "body": random.choice([b"", b"abc", b"abc"]),
            "more_body": random.random() < 0.4,
        }
        for _ in range(random.randint(1, 3))
    ]
    messages = [start, *bodies]
    if random.random() < 0.1:
        random.shuffle(messages)
    return messages


async def test_any_answer_is_written_as_uvicorn_writes_it():
    random = Random(7)
    answered = 0
    for _ in range(4000):
        messages = some_messages(random)
        asked = scope(random.choice(["GET", "GET", "HEAD", "POST"]))
        defaults = random.choice([[DATE], [], [DATE, (b"connection", b"close")]])
        options = (defaults, random.random() < 0.8)
        seen = await sent(ours, asked, messages, *options)
        expected = await sent(theirs, asked, messages, *options)
        assert seen == expected, (asked, messages, options)
        answered += seen[0] not in (True, b"")

    assert answered > 900


async def test_an_answer_of_known_length_leaves_in_one_piece():
    wire = Wire()
    cycle = ours(wire, scope(), [DATE], True)
    await cycle.send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]}
    )
    assert wire.writes == []
    await cycle.send({"type": "http.response.body", "body": b"abc"})

    assert len(wire.writes) == 1


async def test_a_large_answer_is_not_copied():
    wire, body = Wire(), bytes(100_000)
    cycle = ours(wire, scope(), [], True)
    await cycle.send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100000")]}
    )
    await cycle.send({"type": "http.response.body", "body": body})

    assert [len(write) for write in wire.writes][1:] == [100_000]


async def test_the_head_of_a_stream_leaves_before_its_content():
    wire = Wire()
    cycle = ours(wire, scope(), [], True)
    await cycle.send({"type": "http.response.start", "status": 200})

    assert wire.text.startswith(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n")


@pytest.mark.parametrize("value", [b"100-continue", b"100-Continue"])
async def test_continue_is_said_when_the_content_is_asked_for(value):
    wire = Wire()
    cycle = ours(wire, scope("POST", (b"expect", value)), [], True)
    cycle.message_event.set()
    await cycle.receive()

    assert wire.text == b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_it_has_everything_that_uvicorns_methods_use():
    wire = Wire()
    expected = vars(theirs(wire, scope(), [], True))
    cycle = ours(wire, scope(), [], True)

    assert [name for name in expected if not hasattr(cycle, name)] == []


async def test_two_requests_do_not_share_their_content():
    first, second = (ours(Wire(), scope(), [], True) for _ in range(2))
    first.body += b"a"

    assert second.body == b""


async def test_the_server_knows_a_task_until_it_ends():
    wire = Wire()
    cycle = ours(wire, scope(), [], True)
    known = cycle._tasks

    async def app(_scope, _receive, send):
        seen.append(set(known))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    seen: list[set[Any]] = []
    cycle.start(SimpleNamespace(loop=asyncio.get_running_loop()), app)
    task = cycle.task
    await task

    assert seen == [{task}]
    assert known == set()
