"""A connection that code which is not async can hold."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kingpost.migrations.engine import migration_engine

T = TypeVar("T")


class Session:
    """One connection in autocommit mode, with an event loop of its own.

    Args:
        url: of the database, with an asynchronous driver.
        observe: called with the engine before it connects.
    """

    def __init__(self, url: str, observe: Callable[[AsyncEngine], None] | None = None) -> None:
        self._url = url
        self._observe = observe
        self._runner = asyncio.Runner()
        self._engine: AsyncEngine | None = None
        self._connection: AsyncConnection | None = None

    def __enter__(self) -> Self:
        self._engine = migration_engine(self._url)
        if self._observe is not None:
            self._observe(self._engine)
        try:
            self._connection = self._runner.run(self._connect(self._engine))
        except BaseException:
            self._runner.close()
            raise
        return self

    async def _connect(self, engine: AsyncEngine) -> AsyncConnection:
        connection = await engine.connect()
        return await connection.execution_options(isolation_level="AUTOCOMMIT")

    def __exit__(self, *_: object) -> None:
        try:
            self._runner.run(self._close())
        finally:
            self._runner.close()

    async def _close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
        if self._engine is not None:
            await self._engine.dispose()

    def run(self, function: Callable[[Connection], T]) -> T:
        """Calls a function with the connection.

        Args:
            function: may execute statements; each is a transaction unless it says BEGIN.

        Returns:
            What the function returns.
        """
        if self._connection is None:
            raise RuntimeError("a session is a context manager: enter it first")
        return self._runner.run(self._connection.run_sync(function))

    def transact(self, function: Callable[[Connection], T]) -> T:
        """Calls a function with the connection, in a transaction that is committed.

        Args:
            function: executes statements.

        Returns:
            What the function returns.
        """
        self.fetch("BEGIN")
        try:
            found = self.run(function)
        except BaseException:
            with suppress(SQLAlchemyError):  # of a connection that an interrupt has ended
                self.fetch("ROLLBACK")
            raise
        self.fetch("COMMIT")
        return found

    def fetch(self, sql: str) -> list[Any]:
        """Runs one statement that has no parameters.

        Args:
            sql: the statement; `%` and `:` mean themselves.

        Returns:
            Its rows, if it has any.
        """
        return self.run(lambda connection: fetch(connection, sql))


def fetch(connection: Connection, sql: str) -> list[Any]:
    """Runs one statement that has no parameters, with either driver.

    Args:
        connection: where.
        sql: the statement; `%` and `:` mean themselves.

    Returns:
        Its rows, if it has any.
    """
    result = connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
    return list(result) if result.returns_rows else []
