"""Transactions and single statements have connections of their own."""

import asyncio

import pytest
from pydantic import BaseModel
from sqlalchemy import select
from tests.kingpost.library import Author
from tests.kingpost.support import Open, Outside, Sql, until

from kingpost.database import Database, Query, SessionMisuse, Transaction
from kingpost.problems import Busy
from kingpost.projection import Projection

ADA = "ada@example.org"
EMAILS = Query(select(Author.email))


class AuthorRead(BaseModel):
    email: str


AUTHOR = Projection(AuthorRead, Author)


@pytest.fixture
def small(open_library: Open, library_url: str) -> Database:
    """One connection of each kind."""
    return open_library(library_url, pool_size=1, direct_pool_size=1, acquire_timeout=0.2)


async def emails(database: Database) -> list[str]:
    return [row[0] for row in await database.reads.fetch(EMAILS)]


async def change(tx: Transaction) -> None:
    await tx.session.execute(select(Author.id))


async def test_reads_and_inserts_go_on_while_transactions_have_all_their_connections(
    small: Database,
) -> None:
    async with small.engine.connect():
        with pytest.raises(Busy):
            await small.unit_of_work().run(change)

        await small.unit_of_work().insert(Author(email=ADA), show=AUTHOR)
        assert await emails(small) == [ADA]


async def test_transactions_go_on_while_single_statements_have_all_their_connections(
    small: Database,
) -> None:
    assert small.direct is not None
    held = await small.direct.acquire()
    with pytest.raises(Busy):
        await emails(small)

    await small.unit_of_work().run(change)
    small.direct.give_back(held)


async def test_reads_go_on_while_inserts_wait_for_a_lock(
    open_library: Open, library_url: str
) -> None:
    library = open_library(library_url, direct_pool_size=4, acquire_timeout=0.2)
    async with Outside(library_url) as other:
        await other("BEGIN")
        await other("INSERT INTO authors (id, email) VALUES (gen_random_uuid(), :e)", e=ADA)
        inserts = [
            asyncio.create_task(library.unit_of_work().insert(Author(email=ADA), show=AUTHOR))
            for _ in range(6)
        ]
        await until(lambda: sum(task.done() for task in inserts) == 4)

        assert await emails(library) == []
        await other("ROLLBACK")

    done = await asyncio.gather(*inserts, return_exceptions=True)
    assert [type(result) for result in done[2:]] == [Busy] * 4
    assert sorted(type(result).__name__ for result in done[:2]) == ["Conflict", "Document"]
    assert library.direct_status().in_use == 0


async def test_an_insert_whose_turn_has_come_does_not_wait_behind_all_reads(
    open_library: Open, library_url: str
) -> None:
    library = open_library(library_url, direct_pool_size=1, acquire_timeout=60)
    assert library.direct is not None
    held = await library.direct.acquire()
    served: list[str] = []

    async def read() -> None:
        await emails(library)
        served.append("read")

    async def insert() -> None:
        await library.unit_of_work().insert(Author(email=ADA), show=AUTHOR)
        served.append("insert")

    tasks = [asyncio.create_task(read()) for _ in range(3)] + [asyncio.create_task(insert())]
    await until(lambda: library.direct_status().waiting == 4)
    library.direct.give_back(held)
    await asyncio.gather(*tasks)

    assert served == ["insert", "read", "read", "read"]


async def test_nobody_holds_a_connection_of_each_kind(small: Database, sql: Sql) -> None:
    async def use(tx: Transaction) -> None:
        await change(tx)
        with pytest.raises(SessionMisuse, match="inside a transaction"):
            await emails(small)
        with pytest.raises(SessionMisuse, match="inside a transaction"):
            await small.unit_of_work().insert(Author(email=ADA), show=AUTHOR)

    await small.unit_of_work().run(use)

    assert await sql("SELECT email FROM authors") == []
