"""The write on the driver's own connections, by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import psycopg
from sqlalchemy import make_url
from statements import AUDIT, AUTHOR, GIVEN_TWICE, POST, READ_BACK, RETURNING, formatted, numbered
from variants import ACTOR, POOL, REQUEST, Row


def libpq(url: str) -> dict[str, str]:
    """Where both drivers connect to."""
    place = make_url(url)
    return {"host": str(place.query["host"]), "user": "postgres", "database": str(place.database)}


class WithAsyncpg:
    """On the pool of asyncpg, without its reset."""

    def __init__(self, pool: Any, author: UUID) -> None:
        self.pool, self.author = pool, author

    @classmethod
    async def open(cls, url: str, author: UUID, stack: AsyncExitStack) -> "WithAsyncpg":
        pool = asyncpg.create_pool(**libpq(url), min_size=POOL, max_size=POOL, reset=_nothing)
        return cls(await stack.enter_async_context(pool), author)

    async def transaction(self) -> bytes:
        row = Row(self.author)
        async with self.pool.acquire() as connection, connection.transaction():
            made = await connection.fetchrow(numbered(POST + RETURNING), *row.post())
            author = await connection.fetchrow(numbered(AUTHOR), self.author)
            times = {"created_at": str(made[5]), "updated_at": str(made[6])}
            await connection.execute(numbered(AUDIT), *row.entry(**times))
        return row.document(made, author)

    async def given_twice(self) -> bytes:
        row = Row(self.author)
        async with self.pool.acquire() as connection:
            values = (*row.post(), *row.entry())
            return (await connection.fetchval(numbered(GIVEN_TWICE), *values)).encode()

    async def read_back(self) -> bytes:
        row = Row(self.author)
        async with self.pool.acquire() as connection:
            values = (*row.post(), row.audit, ACTOR, REQUEST)
            return (await connection.fetchval(numbered(READ_BACK), *values)).encode()


class WithPsycopg:
    """On connections in a queue, as psycopg's pool is a package of its own."""

    def __init__(self, connections: list[psycopg.AsyncConnection], author: UUID) -> None:
        self.idle: asyncio.Queue[psycopg.AsyncConnection] = asyncio.Queue()
        self.author = author
        for connection in connections:
            self.idle.put_nowait(connection)

    @classmethod
    async def open(cls, url: str, author: UUID, stack: AsyncExitStack) -> "WithPsycopg":
        place = libpq(url)
        place["dbname"] = place.pop("database")
        opened = []
        for _ in range(POOL):
            connection = await psycopg.AsyncConnection.connect(**place, autocommit=True)
            stack.push_async_callback(connection.close)
            opened.append(connection)
        return cls(opened, author)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection]:
        connection = await self.idle.get()
        try:
            yield connection
        finally:
            self.idle.put_nowait(connection)

    async def transaction(self) -> bytes:
        row = Row(self.author)
        async with self.connection() as connection, connection.transaction():
            made = await (
                await connection.execute(formatted(POST + RETURNING), row.post())
            ).fetchone()
            author = await (await connection.execute(formatted(AUTHOR), (self.author,))).fetchone()
            times = {"created_at": str(made[5]), "updated_at": str(made[6])}
            await connection.execute(formatted(AUDIT), row.entry(**times))
        return row.document(made, author)

    async def pipeline(self) -> bytes:
        """Without the times in the audit row, which would have to be waited for."""
        row = Row(self.author)
        async with (
            self.connection() as connection,
            connection.pipeline(),
            connection.transaction(),
        ):
            made = await connection.execute(formatted(POST + RETURNING), row.post())
            author = await connection.execute(formatted(AUTHOR), (self.author,))
            await connection.execute(formatted(AUDIT), row.entry())
            return row.document(await made.fetchone(), await author.fetchone())

    async def given_twice(self) -> bytes:
        row = Row(self.author)
        async with self.connection() as connection:
            values = (*row.post(), *row.entry())
            cursor = await connection.execute(formatted(GIVEN_TWICE), values)
            return (await cursor.fetchone())[0].encode()

    async def read_back(self) -> bytes:
        row = Row(self.author)
        async with self.connection() as connection:
            values = (*row.post(), row.audit, ACTOR, REQUEST)
            cursor = await connection.execute(formatted(READ_BACK), values)
            return (await cursor.fetchone())[0].encode()


async def _nothing(_: Any) -> None: ...
