"""Deletes what nobody needs any more, a part at a time."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Delete

if TYPE_CHECKING:
    from kingpost.database.database import Database
    from kingpost.database.unit_of_work import Transaction

BATCH = 1000
_LOG = logging.getLogger("kingpost.database")


async def delete_rows(database: "Database", statement: Delete, rows: int) -> int:
    """Deletes up to so many rows, in one transaction.

    Args:
        database: where they are.
        statement: deletes up to `rows` of them, its parameter.
        rows: the most that are deleted.

    Returns:
        How many there were.

    Raises:
        Problem: for every failure of the database that is not a bug.
    """

    async def use(tx: "Transaction") -> int:
        result: Any = await tx.session.execute(
            statement,
            {"rows": rows},
            execution_options={"synchronize_session": False, "preserve_rowcount": True},
        )
        return int(result.rowcount)

    return await database.unit_of_work(actor="service").run(use)


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
