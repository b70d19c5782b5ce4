"""Clients that read slowly, on a clock that the test moves."""

import socket

import pytest
from tests.kingpost.server.clock import Loop

from kingpost.server.delivery import LEAST_BYTES, Delivery
from kingpost.server.lingering import LingeringTransport

SECONDS = 20


class Transport:
    """As far as a delivery looks at one."""

    def __init__(self, waiting):
        self.waiting = waiting
        self.closing = self.aborted = False
        self.socket, self.client = socket.socketpair()

    def get_write_buffer_size(self):
        return self.waiting

    def get_extra_info(self, name):
        return {"socket": self.socket}[name]

    def is_closing(self):
        return self.closing

    def close(self):
        self.closing = True

    def write(self, data):
        raise NotImplementedError

    def abort(self):
        self.aborted = True


@pytest.fixture
def begin():
    """Begins to watch a transport with so many bytes to send, on a loop of its own."""
    opened = []

    def begin(waiting):
        loop, transport = Loop(), Transport(waiting)
        opened.extend((transport.socket, transport.client))
        delivery = Delivery(loop, SECONDS, transport)
        delivery.begin()
        return loop, transport, delivery

    yield begin
    for one in opened:
        one.close()


async def test_a_client_that_takes_nothing_is_cut_off_after_its_time(begin):
    loop, transport, _ = begin(1_000_000)
    loop.move(SECONDS - 1)
    assert not transport.aborted

    loop.move(1)
    assert transport.aborted


async def test_a_client_that_takes_enough_gets_the_time_again(begin):
    loop, transport, delivery = begin(10 * LEAST_BYTES)
    for _ in range(5):
        transport.waiting -= LEAST_BYTES
        delivery.begin()  # more was written; that does not buy more time
        loop.move(SECONDS)
        assert not transport.aborted

    transport.waiting -= LEAST_BYTES - 1
    loop.move(SECONDS)
    assert transport.aborted


async def test_what_the_kernel_has_is_not_taken_before_the_client_has_it(begin):
    loop, transport, _ = begin(LEAST_BYTES)
    transport.waiting -= transport.socket.send(b"x" * LEAST_BYTES)
    transport.waiting += 1
    loop.move(SECONDS)

    assert transport.aborted


async def test_what_the_client_has_taken_from_the_kernel_counts(begin):
    loop, transport, delivery = begin(1)
    delivery.forget()
    sent = transport.socket.send(b"x" * LEAST_BYTES)
    delivery.begin()
    assert len(transport.client.recv(LEAST_BYTES, socket.MSG_WAITALL)) == sent == LEAST_BYTES
    loop.move(SECONDS)

    assert not transport.aborted


async def test_a_client_that_has_taken_nearly_all_is_not_watched_any_more(begin):
    loop, transport, delivery = begin(100_000)
    transport.waiting = 10
    delivery.end()
    loop.move(2 * SECONDS)

    assert not transport.aborted
    assert delivery.since is None


async def test_at_the_end_of_a_connection_the_last_bytes_are_watched_too(begin):
    loop, transport, delivery = begin(100)
    transport.closing = True
    delivery.end()
    loop.move(SECONDS)

    assert transport.aborted


async def test_what_is_left_at_a_close_is_watched(begin):
    loop, transport, delivery = begin(100)
    delivery.forget()
    LingeringTransport(transport, lambda: False, delivery).close()
    assert delivery.since is not None
    loop.move(SECONDS)

    assert transport.aborted


async def test_a_connection_that_was_flushed_in_time_is_left_alone(begin):
    loop, transport, _ = begin(100)
    transport.waiting = 0
    loop.move(SECONDS)

    assert not transport.aborted


async def test_what_is_forgotten_is_not_cut_off(begin):
    loop, transport, delivery = begin(100)
    delivery.forget()
    loop.move(2 * SECONDS)

    assert not transport.aborted
