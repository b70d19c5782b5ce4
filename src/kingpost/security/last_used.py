"""Remembers when keys were last used, and writes it down once a minute at most."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

logger = logging.getLogger("kingpost.security")


class LastUsed:
    """Collects uses in memory, so that no request waits for this bookkeeping.

    Args:
        write: stores for each key of a batch how many seconds ago it was used; the clock of the
            database makes moments of them.
        interval: seconds between two writes; a crash loses at most so much.
    """

    def __init__(
        self,
        write: Callable[[Mapping[UUID, float]], Awaitable[None]],
        *,
        interval: float = 60.0,
    ) -> None:
        self._write = write
        self._interval = interval
        self._moments: dict[UUID, float] = {}

    def touch(self, key_id: UUID) -> None:
        """Notes that a key was used now.

        Args:
            key_id: of the key.
        """
        self._moments[key_id] = time.monotonic()

    async def flush(self) -> None:
        """Writes what has been noted; on a failure it is kept for the next time."""
        moments, self._moments = self._moments, {}
        if not moments:
            return
        try:
            now = time.monotonic()
            await self._write({key: now - at for key, at in moments.items()})
        except Exception as error:  # noqa: BLE001 - bookkeeping fails no request and no shutdown
            logger.warning("last use of keys could not be written: %s", type(error).__name__)
            self._moments = moments | self._moments

    async def run(self) -> None:
        """Writes at every interval until it is cancelled; the caller flushes the rest."""
        while True:
            await asyncio.sleep(self._interval)
            await self.flush()
