"""One migration at a time: several processes of a service may start at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

# Any number that nobody else in the database takes; advisory locks are per database.
_KEY = 7_305_411_820_043_571

_POLL_SECONDS = 0.1


class MigrationLockError(Exception):
    """Another process has been migrating for longer than we wait."""


@asynccontextmanager
async def migration_lock(engine: AsyncEngine, *, patience: float = 600.0) -> AsyncIterator[None]:
    """Holds the migration lock of a database on a connection of its own.

    It polls: a process that waits inside `pg_advisory_lock` holds a snapshot, and
    CREATE INDEX CONCURRENTLY of the one that migrates would wait for it for ever.

    Args:
        engine: of the database.
        patience: seconds to wait for the other.

    Raises:
        MigrationLockError: patience has run out.
    """
    async with engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        deadline = asyncio.get_running_loop().time() + patience
        while not await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY}):
            if asyncio.get_running_loop().time() > deadline:
                raise MigrationLockError(
                    f"another migration has held the lock for {patience:g} s: wait for it, "
                    "or end its session in pg_stat_activity"
                )
            await asyncio.sleep(_POLL_SECONDS)
        yield  # closing the connection releases the lock
