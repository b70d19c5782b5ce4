"""Forgets what has expired."""

import asyncio
import logging
from typing import Protocol

_LOG = logging.getLogger("kingpost.idempotency")
BATCH = 1000


class Expiring(Protocol):
    """What keeps rows for a time, such as `Idempotency` or `RateLimiter`."""

    async def purge(self, rows: int) -> int:
        """Deletes up to so many expired rows, and says how many there were."""
        ...


class Purge:
    """Deletes expired rows beside the requests.

    Args:
        expiring: whose rows.
        interval: seconds between two rounds.
    """

    def __init__(self, expiring: Expiring, *, interval: float = 300.0) -> None:
        self._expiring = expiring
        self._interval = interval

    async def round(self) -> int:
        """Deletes batch after batch until nothing is left.

        Returns:
            How many were deleted; 0 also for a failure, which the next round makes good.
        """
        deleted = 0
        try:
            while (rows := await self._expiring.purge(BATCH)) > 0:
                deleted += rows
        except Exception as error:  # noqa: BLE001 - housekeeping fails no service
            what = type(self._expiring).__name__
            _LOG.warning("expired rows of %s could not be deleted: %s", what, type(error).__name__)
        return deleted

    async def run(self) -> None:
        """Makes a round at every interval until it is cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            await self.round()
