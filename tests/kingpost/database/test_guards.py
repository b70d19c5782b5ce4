from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from tests.kingpost.library import Author, Loan
from tests.kingpost.support import Sql

from kingpost.database import Database, SessionMisuse
from kingpost.database.guards import writing_verb

Use = Callable[[AsyncSession], Awaitable[Any]]


async def add(session: AsyncSession) -> None:
    session.add(Author(email="ada@example.org"))


async def add_all(session: AsyncSession) -> None:
    session.add_all([Author(email="ada@example.org")])


async def merge(session: AsyncSession) -> None:
    await session.merge(Author(email="ada@example.org"))


async def commit(session: AsyncSession) -> None:
    await session.commit()


async def remove(session: AsyncSession) -> None:
    await session.delete(await session.scalar(select(Author)))


async def change(session: AsyncSession) -> None:
    author = await session.scalar(select(Author))
    assert author is not None
    author.name = "Bob"


async def change_and_flush(session: AsyncSession) -> None:
    await change(session)
    await session.flush()


def send(statement: Any) -> Use:
    async def use(session: AsyncSession) -> None:
        await session.execute(statement)

    return use


@pytest.mark.parametrize(
    "use",
    [
        add,
        add_all,
        merge,
        commit,
        remove,
        change,
        change_and_flush,
        send(insert(Loan)),
        send(update(Author).values(name="Bob")),
        send(delete(Author)),
        send(text("INSERT INTO loans VALUES (1, gen_random_uuid(), '[1,2)')")),
        send(text("/* SELECT */ update authors SET name = 'Bob'")),
        send(text("WITH gone AS (DELETE FROM authors RETURNING *) SELECT * FROM gone")),
        send(select(select(delete(Author).returning(Author.id).cte()).subquery())),
        send(text("CREATE TABLE left_over ()")),
        send(select(Author).with_for_update()),
    ],
)
async def test_a_read_can_change_nothing(library: Database, sql: Sql, use: Use) -> None:
    await sql("INSERT INTO authors (id, email, name) VALUES (gen_random_uuid(), 'ada', 'Ada')")

    with pytest.raises(SessionMisuse, match="a read may not"):
        await library.read(use)
    assert await sql("SELECT email, name FROM authors") == [("ada", "Ada")]
    assert await sql("SELECT 1 FROM loans") == []


@pytest.mark.parametrize(
    ("sql", "verb"),
    [
        ("SELECT 1", None),
        ("SELECT updated_at, created_at FROM authors ORDER BY updated_at", None),
        ("SELECT 'insert into x', \"update\" FROM x", None),
        ("SELECT 'it''s', 'delete from x'", None),
        ("SELECT x FROM deleted_from", None),
        ("insert\n into x", "INSERT INTO"),
        ("SELECT 'a' FROM x FOR UPDATE", "UPDATE"),
        ("MERGE INTO x", "MERGE INTO"),
        ("DROP TABLE x", "DROP"),
    ],
)
def test_a_writing_statement_is_told_by_its_words(sql: str, verb: str | None) -> None:
    assert writing_verb(sql) == verb


async def test_an_object_that_was_read_keeps_its_values_after_the_session(
    library: Database, sql: Sql
) -> None:
    await sql("INSERT INTO authors (id, email) VALUES (gen_random_uuid(), 'ada')")

    async def one(session: AsyncSession) -> Author:
        return (await session.scalars(select(Author))).one()

    assert (await library.read(one)).email == "ada"
