"""How many clients may be connected, and who gives way when there are more."""

import asyncio
import heapq
from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

import structlog

from kingpost.problems import Busy
from kingpost.server.patience import Turn, Wait

if TYPE_CHECKING:
    from kingpost.observability.metrics import Metrics
    from kingpost.server.protocol import GuardedProtocol

OPERATIONS = 32
REFUSED = 16
_CANDIDATES = 32
_LOG_SECONDS = 1.0
_FULL_SECONDS = 0.05

_log = structlog.get_logger("kingpost.connections")


class Connections:
    """The connections to one port of a process.

    Above the limit, the one that has waited longest for its client is closed (see `Turn`). While
    the server owes something to all of them, it is the new one that has to go, with a 503.

    Args:
        limit: how many there may be.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.metrics: Metrics | None = None
        self._open: set[GuardedProtocol] = set()
        self._new: OrderedDict[GuardedProtocol, None] = OrderedDict()  # may not have begun
        self._candidates: list[tuple[Turn, GuardedProtocol]] = []
        self._refused: deque[GuardedProtocol] = deque()
        self._full_until = 0.0
        self._log_again = 0.0
        self._closed = 0

    def admit(self, connection: "GuardedProtocol") -> None:
        """Takes a new connection in, at the cost of another one if need be, or refuses it."""
        if len(self._open) < self.limit or self._make_room(connection.loop):
            self._open.add(connection)
            self._new[connection] = None
            self._measure()
        else:
            self._refuse(connection)

    def forget(self, connection: "GuardedProtocol") -> None:
        """A connection is gone."""
        self._open.discard(connection)
        self._new.pop(connection, None)
        self._measure()

    def _make_room(self, loop: asyncio.AbstractEventLoop) -> bool:
        victim = self._longest_waiting(loop.time())
        if victim is None:
            return False
        self._open.discard(victim)
        victim.transport.abort()
        self._note("made_room", loop)
        return True

    def _longest_waiting(self, now: float) -> "GuardedProtocol | None":
        """The first to go."""
        for turn, connection in self._in_order(now):
            if connection in self._open and connection.patience.goes_on(turn):
                return connection
        return None

    def _in_order(self, now: float) -> "Iterator[tuple[Turn, GuardedProtocol]]":
        """Those that may have to go."""
        while self._new:
            connection, _ = self._new.popitem(last=False)
            turn = connection.patience.turn()
            if turn is not None and turn.wait is Wait.BEGINNING:
                yield turn, connection
        yield from self._kept()
        for _ in Wait:  # once each: those who wait alike may all have sent something
            if now >= self._full_until:
                self._look_around(now)
                yield from self._kept()

    def _kept(self) -> "Iterator[tuple[Turn, GuardedProtocol]]":
        while self._candidates:
            yield self._candidates.pop()

    def _look_around(self, now: float) -> None:
        """Keeps the first ones to go, after a look at all.

        With more clients than connections somebody has to go all the time, and a look at each
        connection for every one of them would leave no time for requests.
        """
        turns = ((connection.patience.turn(), connection) for connection in self._open)
        waiting = [(turn, connection) for turn, connection in turns if turn is not None]
        if not waiting:  # all are being answered, and we have more to do than to look again
            self._full_until = now + _FULL_SECONDS
            return
        first = heapq.nsmallest(_CANDIDATES, waiting, key=lambda pair: pair[0])
        alike = [pair for pair in first if pair[0].wait is first[0][0].wait]
        self._candidates = alike[::-1]

    def _refuse(self, connection: "GuardedProtocol") -> None:
        """Refuses a connection, which stays for a moment so that its client can read why."""
        self._refused.append(connection)
        if len(self._refused) > REFUSED:
            self._give_up(self._refused.popleft())
        connection.refusal.refuse(Busy("There are too many connections."), quietly=True)
        self._note("refused", connection.loop)

    def _give_up(self, refused: "GuardedProtocol") -> None:
        # Closing while there is unread input makes the kernel send a reset.
        refused.patience.read_arrived()
        refused.transport.abort()

    def _measure(self) -> None:
        if self.metrics is not None:
            self.metrics.connections = len(self._open)

    def _note(self, why: str, loop: asyncio.AbstractEventLoop) -> None:
        """Counts, and says so once a second."""
        self._closed += 1
        if self.metrics is not None:
            self.metrics.connections_closed.labels(why).inc()
        if loop.time() >= self._log_again:
            self._log_again = loop.time() + _LOG_SECONDS
            _log.warning("too many connections", limit=self.limit, closed=self._closed, last=why)
            self._closed = 0
