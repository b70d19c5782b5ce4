"""A connection as a pool keeps it: statements prepared on the server, prepared anew when stale."""

from collections.abc import Mapping
from typing import Any, Self

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kingpost.database import sqlstate
from kingpost.database.drivers import is_dead, is_stale_plan
from kingpost.migrations.engine import migration_engine

_SYNTAX = "42601"
_LOST = "08006"


class Wire:
    """One connection in autocommit mode, without anything between it and the server.

    Statements are prepared with PREPARE, which the server treats as it does those of the drivers,
    also when a change makes them stale; so both drivers show the same.

    Args:
        url: of the database, with an asynchronous driver.
        application: what `pg_stat_activity` calls it.
        settings: of the session.
    """

    def __init__(self, url: str, application: str, settings: Mapping[str, str]) -> None:
        self._url = url
        self._settings = {"application_name": application, **settings}
        self._engine: AsyncEngine | None = None
        self._connection: AsyncConnection | None = None
        self._driver: Any = None
        self._prepared: set[int] = set()
        self.unprepared: set[int] = set()
        """Numbers of statements that cannot be prepared, such as CALL."""

    async def open(self) -> Self:
        """Connects.

        Returns:
            Itself.
        """
        self._engine = migration_engine(self._url)
        try:
            connected = await self._engine.connect()
            self._connection = await connected.execution_options(isolation_level="AUTOCOMMIT")
            self._driver = (await self._connection.get_raw_connection()).driver_connection
            for name, value in self._settings.items():
                await self.run(f"SET {name} = '{value}'")
        except BaseException:
            await self.close()
            raise
        return self

    async def close(self) -> None:
        """Ends the connection, whatever state it is in."""
        if self._connection is not None:
            await self._connection.invalidate()
            await self._connection.close()
        if self._engine is not None:
            await self._engine.dispose()
        self._connection, self._driver = None, None
        self._prepared.clear()

    async def reopen_if_dead(self) -> None:
        """Connects again if the server has hung up."""
        if self._driver is None or is_dead(self._driver):
            await self.close()
            await self.open()

    async def begin(self) -> None:
        """Begins a transaction, on a new connection if the server turns out to have hung up.

        A server that has just been told to end a session does so a moment later.
        """
        try:
            await self.run("BEGIN")
        except Exception:  # each driver has its own errors of a lost connection
            if not is_dead(self._driver):
                raise
            await self.reopen_if_dead()
            await self.run("BEGIN")

    async def run(self, sql: str) -> None:
        """Sends a statement as it is; its rows are thrown away.

        Args:
            sql: one without parameters.
        """
        await self._driver.execute(sql)

    async def execute(self, number: int, sql: str) -> None:
        """Runs a statement that was prepared, or is now.

        Args:
            number: of the statement.
            sql: its text.
        """
        if number in self.unprepared:
            await self.run(sql)
            return
        if number not in self._prepared:
            await self.run(f"PREPARE kingpost_{number} AS {sql}")
            self._prepared.add(number)
        await self.run(f"EXECUTE kingpost_{number}")

    async def forget(self, number: int) -> None:
        """Drops a prepared statement, as a good pool does with one that is stale.

        Args:
            number: of the statement.
        """
        if number in self._prepared:
            self._prepared.discard(number)
            await self.run(f"DEALLOCATE kingpost_{number}")

    def cannot_prepare(self, number: int, state: str) -> bool:
        """Notes that a statement is none of those which PREPARE takes.

        Args:
            number: of the statement.
            state: SQLSTATE of the failure.

        Returns:
            Whether it is worth a try without.
        """
        first = number not in self._prepared | self.unprepared and state == _SYNTAX
        if first:
            self.unprepared.add(number)
        return first


def state_of(error: Exception) -> str:
    """The SQLSTATE of a failure; that of a lost connection if there is none.

    Args:
        error: of a driver or of the network.

    Returns:
        Five characters (PostgreSQL, appendix A).
    """
    return sqlstate(error) or _LOST


def first_line(error: Exception) -> str:
    """What went wrong, without details.

    Args:
        error: of a driver.

    Returns:
        One line.
    """
    if is_stale_plan(error):  # asyncpg has its own words for it
        return "cached plan must not change result type"
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
