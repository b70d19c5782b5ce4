"""Finds a pooler that gives each transaction another session: no place for a migration."""

from typing import Any

from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_PID = text("SELECT pg_backend_pid()")
_ROUNDS = 5


async def refuse_transaction_pooling(engine: AsyncEngine, setting: str) -> None:
    """Refuses PgBouncer and the like in transaction or statement mode.

    The lock and the time limits of a migration belong to a session, and there is none to rely
    on. A pooler is recognised by the pid that it told the driver, which is none of the server;
    its mode by two open connections that are served by one backend, or one that changes.

    Args:
        engine: of the database, without a pool.
        setting: what holds the URL, such as `APP_DATABASE_URL`.

    Raises:
        CommandError: there is such a pooler.
    """
    async with engine.connect() as first, engine.connect() as other:
        if await _told_pid(first) == await _pid(first):
            return
        for _ in range(_ROUNDS):
            if await _shared(first, other):
                raise CommandError(
                    "migrations cannot run through a pooler in transaction mode, where no session "
                    f"lasts: give {setting} the address of PostgreSQL itself for this command"
                )


async def _told_pid(connection: AsyncConnection) -> int | None:
    """The pid that the driver was told when it connected."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if hasattr(driver, "get_server_pid"):
        return int(driver.get_server_pid())
    return int(driver.info.backend_pid)


async def _pid(connection: AsyncConnection) -> int:
    async with connection.begin():
        return int(await connection.scalar(_PID) or 0)


async def _shared(first: AsyncConnection, other: AsyncConnection) -> bool:
    """While `other` is in a transaction it keeps a backend; `first` may not have that one."""
    before = await _pid(first)
    async with other.begin():
        if await other.scalar(_PID) == before:
            return True
        return await _pid(first) != before
