"""One migration at a time: several processes of a service may start at once."""

import asyncio
import hashlib
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kingpost.migrations.blockers import Blocker, blockers_of
from kingpost.migrations.errors import MigrationLockError
from kingpost.migrations.revisions import VERSION_TABLE

_log = logging.getLogger("kingpost.migrations")

_POLL_SECONDS = 0.5
_TELL_SECONDS = 10.0

_PREPARE = text("""
    SELECT set_config('application_name', 'kingpost-migrate', false),
        set_config('idle_session_timeout', '0', false)
""")
_TRY = text("SELECT pg_try_advisory_lock(:key)")
_HOLDER = text("""
    SELECT l.pid, coalesce(host(a.client_addr), 'the same machine'),
        extract(epoch FROM clock_timestamp() - a.backend_start)::float8, l.pid = pg_backend_pid()
    FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND ((l.classid::bigint << 32) | l.objid::bigint) = CAST(:key AS bigint)
""")
_LOST = "the connection that held the migration lock is lost, so nothing more is done: run it again"


def lock_key(version_table: str = VERSION_TABLE) -> int:
    """The number of the advisory lock; the database is implied, as such locks belong to one.

    Args:
        version_table: where the revision of the database is kept.

    Returns:
        A positive number of 63 bits that nobody else is likely to take.
    """
    digest = hashlib.sha256(f"kingpost migrations {version_table}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class HeldLock:
    """The lock while it is held; its connection also looks at the one that migrates.

    Args:
        connection: in autocommit, used by nobody else.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()
        self._lost = False

    async def check(self) -> None:
        """Asks whether the lock is still ours.

        Raises:
            MigrationLockError: it is lost.
        """
        try:
            async with self._turn:
                holder = (await self._connection.execute(_HOLDER, {"key": lock_key()})).first()
        except (SQLAlchemyError, OSError) as error:
            self._lost = True
            raise MigrationLockError(_LOST) from error
        self._lost = holder is None or not holder[3]
        self.guard()

    def guard(self, *_: Any) -> None:
        """Stops a migration whose lock was found to be lost; takes the arguments of any event.

        Raises:
            MigrationLockError: it is lost.
        """
        if self._lost:
            raise MigrationLockError(_LOST)

    async def blockers(self, pid: int) -> list[Blocker]:
        """Asks who keeps a backend waiting.

        Args:
            pid: of the backend that migrates.

        Returns:
            Those who block it; none if it does not wait, or if the lock is lost.
        """
        try:
            async with self._turn:
                return await blockers_of(self._connection, pid)
        except (SQLAlchemyError, OSError):
            self._lost = True
            return []


@asynccontextmanager
async def migration_lock(
    engine: AsyncEngine, *, patience: float = 600.0
) -> AsyncIterator[HeldLock]:
    """Holds the migration lock of a database on a connection of its own.

    It polls: a process that waits inside `pg_advisory_lock` holds a snapshot, and
    CREATE INDEX CONCURRENTLY of the one that migrates would wait for it for ever.

    Args:
        engine: of the database.
        patience: seconds to wait for the other.

    Yields:
        The lock, held until the end of the block.

    Raises:
        MigrationLockError: patience has run out.
    """
    async with engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(_PREPARE)
        await _obtain(connection, patience)
        yield HeldLock(connection)  # closing the connection releases the lock


async def _obtain(connection: AsyncConnection, patience: float) -> None:
    clock = asyncio.get_running_loop().time
    began, told = clock(), -_TELL_SECONDS
    while not await connection.scalar(_TRY, {"key": lock_key()}):
        waited = clock() - began
        if waited - told >= _TELL_SECONDS:
            told = waited
            _log.info("waiting for another migration (%s)", await _holder(connection))
        if waited > patience:
            raise MigrationLockError(
                f"another migration has held the lock for {patience:g} s: wait for "
                f"{await _holder(connection)}, or end its session in pg_stat_activity"
            )
        await asyncio.sleep(_POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - no secret


async def _holder(connection: AsyncConnection) -> str:
    row = (await connection.execute(_HOLDER, {"key": lock_key()})).first()
    if row is None:
        return "which has just ended"
    age = "" if row[2] is None else f", connected for {row[2]:.0f} s"
    return f"pid {row[0]} on {row[1]}{age}"
