"""Forgets answers that have expired."""

import asyncio
import logging

from kingpost.idempotency.idempotency import Idempotency

_LOG = logging.getLogger("kingpost.idempotency")
BATCH = 1000


class Purge:
    """Deletes expired answers beside the requests.

    Args:
        idempotency: whose answers.
        interval: seconds between two rounds.
    """

    def __init__(self, idempotency: Idempotency, *, interval: float = 300.0) -> None:
        self._idempotency = idempotency
        self._interval = interval

    async def round(self) -> int:
        """Deletes batch after batch until nothing is left.

        Returns:
            How many were deleted; 0 also for a failure, which the next round makes good.
        """
        deleted = 0
        try:
            while (rows := await self._idempotency.purge(BATCH)) > 0:
                deleted += rows
        except Exception as error:  # noqa: BLE001 - housekeeping fails no service
            _LOG.warning("expired answers could not be deleted: %s", type(error).__name__)
        return deleted

    async def run(self) -> None:
        """Makes a round at every interval until it is cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            await self.round()
