"""Time for something that must not take long."""

import asyncio
from collections.abc import Callable


class Countdown:
    """Rings when it was not stopped in time.

    Args:
        loop: of the connection.
        seconds: from the start.
        ring: is called then.

    Attributes:
        since: when it began, on the clock of the event loop; None while it does not run.
    """

    __slots__ = ("_handle", "_loop", "_ring", "_seconds", "since")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, ring: Callable[[], object]
    ) -> None:
        self._loop = loop
        self._seconds = seconds
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None
        self.since: float | None = None

    def start(self) -> None:
        """Begins; what has begun goes on."""
        if self._handle is None:
            self._handle = self._loop.call_later(self._seconds, self._over)
            self.since = self._loop.time()

    def stop(self) -> None:
        """It was in time."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = self.since = None

    def _over(self) -> None:
        self._handle = self.since = None
        self._ring()
