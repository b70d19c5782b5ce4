"""One user by key, read in every way there is between the driver and the ORM."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from importlib.util import find_spec
from typing import Any
from uuid import UUID

import asyncpg
import psycopg
from sqlalchemy import MetaData, Text, bindparam, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from kingpost.database import NAMING_CONVENTION, Database, DatabaseOptions, KeyQuery, Query

KEYS = 960
AT_ONCE = 32
Layer = Callable[[Sequence[UUID], int], Awaitable[None]]
Read = Callable[[UUID], Awaitable[Any]]


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=dict(NAMING_CONVENTION))


class User(Base):
    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    name: Mapped[str | None]
    created_at: Mapped[datetime]


DOCUMENT = literal_column(
    "CAST(json_build_object('id', id, 'email', email, 'name', name) AS text)", Text
)
ONE = select(DOCUMENT).where(User.id == bindparam("key", type_=User.id.type))
QUERY = Query(ONE)
LOOKUP = KeyQuery(select(DOCUMENT), User.id)
SQL = """
    SELECT CAST(json_build_object('id', id, 'email', email, 'name', name) AS text)
    FROM users WHERE id = $1::uuid
"""
SQL_OF_MANY = """
    SELECT CAST(json_build_object('id', id, 'email', email, 'name', name) AS text), id
    FROM users WHERE id = ANY ($1::uuid[])
"""


def one_by_one(read: Read) -> Layer:
    async def layer(keys: Sequence[UUID], calls: int) -> None:
        for number in range(calls):
            await read(keys[number % KEYS])

    return layer


def together(read: Read) -> Layer:
    """As under load: so many clients, each asking again when it has its answer."""

    async def layer(keys: Sequence[UUID], calls: int) -> None:
        async def client(first: int) -> None:
            for number in range(first, calls, AT_ONCE):
                await read(keys[number % KEYS])

        await asyncio.gather(*(client(first) for first in range(AT_ONCE)))

    return layer


async def raw_asyncpg(url: str, stack: AsyncExitStack) -> dict[str, Layer]:
    connection = await asyncpg.connect(url)
    stack.push_async_callback(connection.close)
    pool = await stack.enter_async_context(
        asyncpg.create_pool(url, min_size=8, max_size=8, reset=_nothing)
    )
    return {
        "driver's connection": one_by_one(lambda key: connection.fetch(SQL, key)),
        "driver's connection, = ANY": one_by_one(lambda key: connection.fetch(SQL_OF_MANY, [key])),
        "driver's pool": one_by_one(lambda key: pool.fetch(SQL, key)),
        "driver's pool, 32 at once": together(lambda key: pool.fetch(SQL, key)),
    }


async def raw_psycopg(url: str, stack: AsyncExitStack) -> dict[str, Layer]:
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    stack.push_async_callback(connection.close)
    cursor = psycopg.AsyncRawCursor(connection)

    async def fetch(sql: str, argument: Any) -> Any:
        await cursor.execute(sql, [argument], prepare=True)
        return await cursor.fetchall()

    async def by_the_book(key: UUID) -> Any:
        done = await connection.execute(SQL.replace("$1", "%s"), [key], prepare=True)
        return await done.fetchall()

    return {
        "driver's connection, raw cursor": one_by_one(lambda key: fetch(SQL, key)),
        "driver's connection, = ANY": one_by_one(lambda key: fetch(SQL_OF_MANY, [key])),
        "driver's connection.execute": one_by_one(by_the_book),
    } | await _psycopg_pool(url, stack)


async def _psycopg_pool(url: str, stack: AsyncExitStack) -> dict[str, Layer]:
    if find_spec("psycopg_pool") is None:
        return {}
    from psycopg_pool import AsyncConnectionPool  # noqa: PLC0415 - may be absent

    pool = await stack.enter_async_context(
        AsyncConnectionPool(url, min_size=8, max_size=8, open=False, kwargs={"autocommit": True})
    )

    async def fetch(key: UUID) -> Any:
        async with pool.connection() as connection:
            cursor = psycopg.AsyncRawCursor(connection)
            await cursor.execute(SQL, [key], prepare=True)
            return await cursor.fetchall()

    return {
        "driver's pool, raw cursor": one_by_one(fetch),
        "driver's pool, 32 at once": together(fetch),
    }


async def kingpost_layers(url: str, stack: AsyncExitStack) -> dict[str, Layer]:
    database = Database(DatabaseOptions(url), metadata=Base.metadata)
    stack.push_async_callback(database.close)
    reads = database.reads

    async def core(key: UUID) -> Any:
        async with database.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            return (await connection.execute(ONE, {"key": key})).scalar()

    async def orm(key: UUID) -> Any:
        async def use(session: AsyncSession) -> Any:
            return await session.get(User, key)

        return await database.read(use)

    return {
        "Reads.fetch": one_by_one(lambda key: reads.fetch(QUERY, {"key": key})),
        "Reads.fetch, 32 at once": together(lambda key: reads.fetch(QUERY, {"key": key})),
        "Reads.find": one_by_one(lambda key: reads.find(LOOKUP, key)),
        "Reads.find, 32 at once": together(lambda key: reads.find(LOOKUP, key)),
        "SQLAlchemy Core, autocommit": one_by_one(core),
        "Database.read, one object": one_by_one(orm),
    }


async def _nothing(_: Any) -> None: ...
