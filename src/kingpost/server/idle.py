"""Ends what has been idle for too long, without a timer for each time it was idle."""

import asyncio
from collections.abc import Callable

# Event loops count in milliseconds and may ring a little before the time.
_EARLY = 0.001


class IdleTimer:
    """Rings when nothing has happened for a while.

    A busy connection is idle thousands of times a second. Its timer is neither made nor
    cancelled each time: when it rings too early, it is set to the rest of the time.

    Args:
        loop: of the connection.
        seconds: how long it may be idle.
        ring: is called then.

    Attributes:
        since: when it became idle, on the clock of the event loop; None while it is not.
    """

    __slots__ = ("_handle", "_loop", "_ring", "_seconds", "since")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, ring: Callable[[], object]
    ) -> None:
        self._loop = loop
        self._seconds = seconds
        self._ring = ring
        self.since: float | None = None
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """From now on nothing happens."""
        self.since = self._loop.time()
        if self._handle is None:
            self._handle = self._loop.call_later(self._seconds, self._look)

    def stop(self) -> None:
        """Something has happened."""
        self.since = None

    def forget(self) -> None:
        """There is nothing left to end."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _look(self) -> None:
        self._handle = None
        if self.since is None:
            return
        left = self.since + self._seconds - self._loop.time()
        if left > _EARLY:
            self._handle = self._loop.call_later(left, self._look)
        else:
            self._ring()
