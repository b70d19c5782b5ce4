"""Behind a real PgBouncer in transaction mode, over two server connections."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from tests.kingpost.library import Author
from tests.kingpost.support import Counts, Open, Sql

from kingpost.database import Transaction
from kingpost.problems import Busy, Conflict

TASKS, REQUESTS = 6, 12


async def by_email(session: AsyncSession, email: str) -> list[str]:
    return list(await session.scalars(select(Author.email).where(Author.email == email)))


async def test_many_requests_share_two_server_connections_without_an_error(
    open_library: Open, pgbouncer_url: str, sql: Sql, counts: Counts
) -> None:
    library = open_library(pgbouncer_url, pooler="pgbouncer")

    async def task(number: int) -> None:
        for request in range(REQUESTS):
            email = f"{number}.{request}@example.org"

            async def create(tx: Transaction, email: str = email) -> None:
                tx.session.add(Author(email=email))
                await tx.session.flush()
                assert await by_email(tx.session, email) == [email]

            async def read(session: AsyncSession, email: str = email) -> list[str]:
                await session.execute(text("SELECT 1"))
                return await by_email(session, email)

            await library.unit_of_work().run(create)
            assert await library.read(read) == [email]

    await asyncio.gather(*(task(number) for number in range(TASKS)))
    assert counts.retries == []
    assert {state for state, _, _ in counts.statements} == {None}
    assert await sql("SELECT count(*) FROM authors") == [(TASKS * REQUESTS,)]
    assert await sql("SELECT count(*) FROM audit_entries") == [(TASKS * REQUESTS,)]


async def test_no_prepared_statement_stays_on_the_server(
    open_library: Open, pgbouncer_url: str
) -> None:
    library = open_library(pgbouncer_url, pooler="pgbouncer")

    async def names(session: AsyncSession) -> list[Any]:
        return list(await session.scalars(text("SELECT name FROM pg_prepared_statements")))

    for _ in range(10):
        await library.read(names)
    assert [name for name in await library.read(names) if name] == []


async def test_the_timeouts_hold_in_each_transaction_and_stay_in_it(
    open_library: Open, pgbouncer_url: str
) -> None:
    library = open_library(pgbouncer_url, pooler="pgbouncer", statement_timeout=4, lock_timeout=1.5)

    async def settings(session: AsyncSession) -> list[Any]:
        names = ("statement_timeout", "lock_timeout", "TimeZone", "transaction_read_only")
        return [await session.scalar(text(f"SHOW {name}")) for name in names]

    assert await library.read(settings) == ["4s", "1500ms", "UTC", "on"]
    assert await library.unit_of_work().run(lambda tx: settings(tx.session)) == [
        "4s",
        "1500ms",
        "UTC",
        "off",
    ]


async def test_a_statement_that_is_too_slow_is_busy(open_library: Open, pgbouncer_url: str) -> None:
    library = open_library(pgbouncer_url, pooler="pgbouncer", statement_timeout=0.05)

    async def sleep(session: AsyncSession) -> None:
        await session.execute(text("SELECT pg_sleep(30)"))

    with pytest.raises(Busy):
        await library.read(sleep)
    with pytest.raises(Busy):
        await library.unit_of_work().run(lambda tx: sleep(tx.session))


async def test_our_timeouts_do_not_make_pgbouncer_refuse_the_connection(
    open_library: Open, pgbouncer_url: str
) -> None:
    library = open_library(pgbouncer_url, statement_timeout=4)
    await library.ping()


async def test_a_conflict_is_a_conflict(open_library: Open, pgbouncer_url: str) -> None:
    library = open_library(pgbouncer_url, pooler="pgbouncer")

    async def create(tx: Transaction) -> None:
        tx.session.add(Author(email="ada@example.org"))

    await library.unit_of_work().run(create)
    with pytest.raises(Conflict, match="email is already taken"):
        await library.unit_of_work().run(create)
