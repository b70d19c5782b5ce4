"""New connections do not wait for one another."""

import asyncio
import socket
from collections.abc import Iterator

import pytest
import uvloop
from tests.kingpost.support import until

from kingpost.server.accepting import Acceptor

WAITING = 100


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=WAITING) as made:
        made.setblocking(False)
        yield made


class Busy:
    """A loop each of whose rounds has something to do."""

    def __init__(self) -> None:
        self.rounds = 0
        self.accepted = 0

    def protocol(self) -> asyncio.Protocol:
        self.accepted += 1
        return Closing()

    def go_round(self) -> None:
        self.rounds += 1
        if self.accepted < WAITING:
            asyncio.get_running_loop().call_soon(self.go_round)


class Closing(asyncio.Protocol):
    """Ends each connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


async def rounds_for_all(listener: socket.socket, *, takes_more: bool) -> int:
    """In how many rounds a server accepts all who wait, as uvicorn starts one."""
    busy, loop = Busy(), asyncio.get_running_loop()
    clients = [socket.create_connection(listener.getsockname()) for _ in range(WAITING)]
    acceptor = Acceptor(busy.protocol)
    server = await loop.create_server(busy.protocol, sock=listener.dup(), backlog=WAITING)
    if takes_more:
        acceptor.watch(listener)
    busy.go_round()
    await until(lambda: busy.accepted == WAITING)
    acceptor.close()
    server.close()
    for client in clients:
        client.close()
    return busy.rounds


def on_uvloop(listener: socket.socket, *, takes_more: bool) -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(rounds_for_all(listener, takes_more=takes_more))


def test_the_loop_alone_would_accept_one_a_round(listener: socket.socket) -> None:
    assert on_uvloop(listener, takes_more=False) >= WAITING


def test_all_who_wait_are_accepted_in_a_few_rounds(listener: socket.socket) -> None:
    assert on_uvloop(listener, takes_more=True) < WAITING / 4


async def test_nothing_is_taken_once_it_is_closed(listener: socket.socket) -> None:
    busy = Busy()
    acceptor = Acceptor(busy.protocol)
    acceptor.watch(listener)
    acceptor.close()
    with socket.create_connection(listener.getsockname()):
        for _ in range(20):
            await asyncio.sleep(0)

    assert busy.accepted == 0
