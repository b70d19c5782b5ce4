"""How long the service's connections wait for locks, as PostgreSQL itself sees it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

_LOOK_SECONDS = 0.025
_LONGEST = text("""
    SELECT max(extract(epoch FROM clock_timestamp() - waitstart))::float
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE NOT granted AND application_name = 'app'
""")


@dataclass
class Waits:
    """What was seen.

    Attributes:
        longest: seconds of the longest wait; it may have gone on for a fortieth of a second more.
    """

    longest: float = 0.0


@asynccontextmanager
async def watching_locks(url: str) -> AsyncIterator[Waits]:
    """Looks who waits, forty times a second, as long as the block runs.

    Args:
        url: of the database.

    Yields:
        What is seen.
    """
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    waits, end = Waits(), asyncio.Event()
    async with engine.connect() as connection:
        looking = asyncio.create_task(_look(connection, waits, end))
        try:
            yield waits
        finally:
            end.set()
            await looking
    await engine.dispose()


async def _look(connection: AsyncConnection, waits: Waits, end: asyncio.Event) -> None:
    while not end.is_set():
        waits.longest = max(waits.longest, await connection.scalar(_LONGEST) or 0.0)
        with suppress(TimeoutError):
            await asyncio.wait_for(end.wait(), _LOOK_SECONDS)
