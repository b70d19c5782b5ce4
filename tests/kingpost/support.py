"""What several test modules of the library need beside fixtures."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from kingpost.database import Database, DatabaseObserver

Open = Callable[..., Database]
Sql = Callable[..., Awaitable[list[Any]]]


class Counts(DatabaseObserver):
    """Remembers what the database layer reports."""

    def __init__(self) -> None:
        self.statements: list[tuple[str | None, float, str]] = []
        self.retries: list[str] = []
        self.unknown = 0

    def statement(self, sqlstate: str | None, seconds: float, sql: str) -> None:
        self.statements.append((sqlstate, seconds, sql))

    def retry(self, sqlstate: str) -> None:
        self.retries.append(sqlstate)

    def outcome_unknown(self) -> None:
        self.unknown += 1


class Outside:
    """A connection beside the code under test, each statement in its own transaction."""

    def __init__(self, url: str) -> None:
        self._engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")

    async def __aenter__(self) -> Sql:
        self._connection = await self._engine.connect()
        return self._run

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()
        await self._engine.dispose()

    async def _run(self, statement: str, **values: Any) -> list[Any]:
        result = await self._connection.execute(text(statement), values)
        return list(result) if result.returns_rows else []


@asynccontextmanager
async def holding(url: str, *statements: str) -> AsyncIterator[None]:
    """A transaction of somebody else that has run these statements and idles inside the block."""
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement))
            yield
    finally:
        await engine.dispose()


async def until(condition: Callable[[], Any], *, seconds: float = 30) -> None:
    """Waits for what happens in another task or process; the bound only ends a hanging test."""
    async with asyncio.timeout(seconds):
        while True:
            held = condition()
            if isinstance(held, Awaitable):
                held = await held
            if held:
                return
            await asyncio.sleep(0.01)
