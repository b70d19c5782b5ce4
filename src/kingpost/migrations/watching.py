"""Looks at a revision from a second connection: who keeps it waiting."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from kingpost.migrations.blockers import Blocker, named
from kingpost.migrations.lock import HeldLock

_log = logging.getLogger("kingpost.migrations")

_TELL_SECONDS = 5.0
_LONGEST_INTERVAL = 0.1


@dataclass
class Watch:
    """What was seen of one attempt.

    Attributes:
        revision: that is watched.
        blockers: those who kept it waiting when it was last seen to wait.
    """

    revision: str
    blockers: list[Blocker] = field(default_factory=list)
    _since: float | None = None
    _next: float = _TELL_SECONDS

    def see(self, now: float, blockers: list[Blocker]) -> None:
        """Takes note of one look, and tells of a long wait.

        Args:
            now: seconds of any clock.
            blockers: none if it does not wait.
        """
        if not blockers:
            self._since, self._next = None, _TELL_SECONDS
            return
        self.blockers = blockers
        self._since = now if self._since is None else self._since
        if now - self._since >= self._next:
            self._next *= 2
            waited = now - self._since
            _log.info("%s waits since %.0f s for %s", self.revision, waited, named(blockers))


@asynccontextmanager
async def watching(
    held: HeldLock, pid: int, revision: str, lock_timeout: float
) -> AsyncIterator[Watch]:
    """Watches a backend as long as the block lasts, on the connection of the lock.

    Args:
        held: the lock.
        pid: of the backend.
        revision: that it runs.
        lock_timeout: seconds that it waits for a lock; it is looked at three times meanwhile.

    Yields:
        What is seen.
    """
    watch, end = Watch(revision), asyncio.Event()
    interval = min(lock_timeout / 3, _LONGEST_INTERVAL)
    task = asyncio.create_task(_look(watch, held, pid, interval, end))
    try:
        yield watch
    finally:
        end.set()  # to cancel it in the middle of a query would cost the connection, and the lock
        await task


async def _look(
    watch: Watch, held: HeldLock, pid: int, interval: float, end: asyncio.Event
) -> None:
    clock = asyncio.get_running_loop().time
    while not end.is_set():
        watch.see(clock(), await held.blockers(pid))
        with suppress(TimeoutError):
            await asyncio.wait_for(end.wait(), interval)
