"""A database of its own for each test of the rehearsal's parts."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection

from kingpost.migrations.engine import migration_engine
from kingpost.migrations.rehearsal.filling import Filled, fill
from kingpost.testing.databases import execute, in_own_loop

T = TypeVar("T")


def with_connection(url: str, use: Callable[[Connection], T]) -> T:
    """Calls what takes a synchronous connection, and commits."""

    async def run() -> T:
        engine = migration_engine(url)
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(use)
        finally:
            await engine.dispose()

    return in_own_loop(run)


def filled(url: str, *schema: str, rows: int = 40, edges: bool = False) -> Filled:
    """Makes a schema and fills it."""
    execute(url, *schema)
    return with_connection(url, lambda connection: fill(connection, rows, edges=edges))


def value(url: str, sql: str) -> Any:
    """The one value of a query."""
    return execute(url, sql)[0][0]


def count(url: str, table: str, of: str = "*") -> int:
    """How many rows a table has, or values a column."""
    return int(value(url, f"SELECT count({of}) FROM {table}"))  # noqa: S608 - of the test
