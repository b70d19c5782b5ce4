"""How long a connection waits for its client, and who waits longest."""

import asyncio
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, cast

from kingpost.problems import RequestTimeout
from kingpost.server.countdown import Countdown
from kingpost.server.delivery import Delivery
from kingpost.server.idle import IdleTimer
from kingpost.server.lingering import LingeringTransport

if TYPE_CHECKING:
    from kingpost.server.cycle import Cycle
    from kingpost.server.protocol import GuardedProtocol


class Wait(IntEnum):
    """What a client is waited for to do; the first ones give way first.

    Attributes:
        BEGINNING: to send a whole head: it never has, or is in the middle of one, or still sends
            on a connection that has ended for us.
        IDLE: to send another request.
        SENDING: to send the rest of its content.
        READING: to take its answer.
    """

    BEGINNING = 0
    IDLE = 1
    SENDING = 2
    READING = 3


class Turn(NamedTuple):
    """It is the client's turn.

    Attributes:
        wait: to do what.
        since: on the clock of the event loop.
    """

    wait: Wait
    since: float


class Patience:
    """The timers of one connection; none of them costs a request that arrives whole anything.

    Args:
        connection: whose they are.
        transport: the real one.

    Attributes:
        idle: between two requests.
        head: while a head, or the rest of a content that nobody wants, arrives.
        content: while the application waits for content.
        delivery: while the client does not read.
        transport: the one to use instead of the real one.
    """

    def __init__(self, connection: "GuardedProtocol", transport: asyncio.Transport) -> None:
        loop, limits = connection.loop, connection.limits
        self._connection = connection
        self.idle = IdleTimer(
            loop, connection.timeout_keep_alive, connection.timeout_keep_alive_handler
        )
        self.head = Countdown(loop, limits.head_seconds, self._head_late)
        self.content = Countdown(loop, limits.content_seconds, self._content_late)
        self.delivery = Delivery(loop, limits.write_seconds, transport)
        self.transport = LingeringTransport(transport, self._still_sending, self.delivery)
        self.idle.start()

    def _still_sending(self) -> bool:
        connection = self._connection
        return connection.refusal.answered or connection.in_body or connection.in_head

    def forget(self) -> None:
        """The connection is gone."""
        self.idle.forget()
        self.head.stop()
        self.content.stop()
        self.delivery.forget()
        self.transport.forget()

    def watch_head(self) -> None:
        """Gives what is not complete its time: a head, or the rest of an answered content."""
        if self._connection.in_head or not self._connection.is_answering():
            self.head.start()

    def _head_late(self) -> None:
        if self._connection.in_head:
            seconds = self._connection.limits.head_seconds
            self._connection.refusal.refuse(
                RequestTimeout(f"The head was not complete after {seconds:g} s.")
            )
        elif not self._connection.is_answering():
            self._connection.transport.close()

    def _content_late(self) -> None:
        cycle = cast("Cycle", self._connection.cycle)
        if not self._connection.is_answering():
            return
        if not cycle.receives:
            self.content.start()  # it is not the content that is waited for
        elif cycle.response_started:
            self._connection.transport.close()
        else:
            cycle.end_content()

    def goes_on(self, turn: Turn) -> bool:
        """Whether it is still the client's turn when all that it has sent was read.

        The event loop may not have come to it: a request that waits in the kernel looks like a
        client that is silent.

        Args:
            turn: what the client was waited for to do.
        """
        if self.turn() != turn:
            return False
        came = self.read_arrived()
        now = self.turn()
        return now is not None and (not came or now.wait is Wait.BEGINNING)

    def read_arrived(self) -> bool:
        """Reads what has come, before the event loop does. Returns whether something has."""
        data = b"" if self._connection.flow.read_paused else self.transport.arrived()
        if data:
            self._connection.data_received(data)
        return bool(data)

    def turn(self) -> Turn | None:
        """What the client is waited for to do, and since when; None while it is not its turn."""
        if self._connection.is_answering():
            return self._turn_within_request()
        if self.delivery.since is not None:
            return Turn(Wait.READING, self.delivery.since)
        since = self.transport.since or self.head.since
        if since is not None:
            return Turn(Wait.BEGINNING, since)
        if self.idle.since is not None:
            wait = Wait.IDLE if self._connection.heads else Wait.BEGINNING
            return Turn(wait, self.idle.since)
        return None

    def _turn_within_request(self) -> Turn | None:
        cycle = cast("Cycle", self._connection.cycle)
        if self.delivery.since is not None and cycle.response_started:
            return Turn(Wait.READING, self.delivery.since)
        if self.content.since is not None and cycle.receives:
            return Turn(Wait.SENDING, self.content.since)
        return None
