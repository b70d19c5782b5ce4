"""Each row of the table of failures, provoked on a real server with both drivers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.exc import DBAPIError
from tests.kingpost.library import Author, Book
from tests.kingpost.support import Open, Outside, Sql, until

from kingpost.database import Database, Transaction
from kingpost.problems import (
    Busy,
    Conflict,
    Invalid,
    InvalidReference,
    Problem,
    Unavailable,
)

Use = Callable[[Transaction], Awaitable[Any]]


@dataclass
class Row:
    """One row of the table: what happens, and what the client is told."""

    use: Use
    problem: type[Problem]
    fields: tuple[str, ...] = ()
    detail: str | None = None


def adding(*objects: Any) -> Use:
    async def use(tx: Transaction) -> None:
        for made in objects:
            tx.session.add(made())
            await tx.session.flush()

    return use


def sending(*statements: str, **values: Any) -> Use:
    async def use(tx: Transaction) -> None:
        for statement in statements:
            await tx.session.execute(text(statement), values)

    return use


def raising(state: str) -> Use:
    return sending(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")


def author(email: str = "ada@example.org", **values: Any) -> Callable[[], Author]:
    return lambda: Author(email=email, **values)


def book(**values: Any) -> Callable[[], Book]:
    return lambda: Book(**{"title": "Notes", "author": Author(email="ada@example.org")} | values)


async def add_a_book_twice(tx: Transaction) -> None:
    ada = Author(email="ada@example.org")
    await adding(book(author=ada), book(author=ada))(tx)


async def add_a_book_of_nobody(tx: Transaction) -> None:
    await adding(lambda: Book(title="Notes", author_id=uuid4()))(tx)


async def delete_author_with_books(tx: Transaction) -> None:
    await adding(book())(tx)
    await tx.session.execute(delete(Author), execution_options={"audited": False})


async def move_author_with_books(tx: Transaction) -> None:
    await adding(book())(tx)
    (found,) = await tx.session.scalars(select(Author))
    found.id = uuid4()
    await tx.session.flush()


LOAN = "INSERT INTO loans VALUES ({}, gen_random_uuid(), '[1,5)')"

ROWS = {
    "unique": Row(
        adding(author(), author("ADA@example.org")), Conflict, ("email",), "email is already taken"
    ),
    "unique over two": Row(
        add_a_book_twice,
        Conflict,
        ("author_id", "title"),
        "author_id and title are already taken",
    ),
    "primary key": Row(sending(LOAN.format(1), LOAN.format(1)), Conflict, ("id",)),
    "exclusion": Row(sending(LOAN.format(1), LOAN.format(2)), Conflict, ("during",)),
    "unknown reference": Row(add_a_book_of_nobody, InvalidReference, ("author_id",)),
    "unknown reference at commit": Row(sending(LOAN.format(1)), InvalidReference, ("book_id",)),
    "delete of what is referenced": Row(
        delete_author_with_books, Conflict, (), "it is still used by books"
    ),
    "new key of what is referenced": Row(
        move_author_with_books, Conflict, (), "it is still used by books"
    ),
    "check": Row(adding(book(year=0)), Invalid, ("year",), "year is not allowed"),
    "check with text": Row(adding(author(name="")), Invalid, ("name",)),
    "not null": Row(adding(book(title=None)), Invalid, ("title",), "title is required"),
    "too long": Row(adding(author("a" * 101)), Invalid, (), "a text is too long"),
    "out of range": Row(
        adding(book(price=Decimal(10**7))), Invalid, (), "a number is out of range"
    ),
    "integer out of range": Row(adding(book(year=2**40)), Invalid),
    "huge integer": Row(adding(book(year=10**30)), Invalid),
    "not a uuid": Row(sending("SELECT CAST(CAST(:x AS text) AS uuid)", x="x"), Invalid),
    "timestamp out of range": Row(sending("SELECT CAST('999999-01-01' AS timestamptz)"), Invalid),
    "NUL in text": Row(adding(author("a\0b")), Invalid),
    "NUL in JSON": Row(adding(book(notes={"a": "\0"})), Invalid),
    "NaN in JSON": Row(adding(book(notes={"a": float("nan")})), Invalid),
    "lone surrogate in text": Row(adding(author("\ud800")), Invalid),
    "lone surrogate in JSON": Row(adding(book(notes={"a": "\ud800"})), Invalid),
    "wrong type": Row(sending("SELECT CAST(:x AS integer)", x="twelve"), Invalid),
    "statement too slow": Row(
        sending("SET LOCAL statement_timeout = '20ms'", "SELECT pg_sleep(30)"), Busy
    ),
    "cancelled": Row(sending("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(30)"), Busy),
    "serialization failure": Row(raising("40001"), Busy),
    "deadlock": Row(raising("40P01"), Busy),
    "killed": Row(
        sending("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(30)"), Unavailable
    ),
    "read-only": Row(sending("SET TRANSACTION READ ONLY", LOAN.format(1)), Unavailable),
    "transaction too long": Row(
        sending("SET LOCAL transaction_timeout = '20ms'", "SELECT pg_sleep(30)"), Unavailable
    ),
    "disk full": Row(raising("53100"), Unavailable),
    "storage failure": Row(raising("58030"), Unavailable),
    "too many connections": Row(raising("53300"), Busy),
    "starting up": Row(raising("57P03"), Unavailable),
    "unknown constraint": Row(raising("23505"), Conflict, (), "a value is already taken"),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
async def test_a_failure_is_told_as_its_problem(
    open_library: Open, library_url: str, sql: Sql, row: Row
) -> None:
    library = open_library(library_url, attempts=1)

    with pytest.raises(Problem) as told:
        await library.unit_of_work().run(row.use)

    problem = told.value
    assert type(problem) is row.problem
    assert tuple(error.pointer for error in problem.errors) == tuple(
        f"/body/{field}" for field in row.fields
    )
    if row.detail is not None:
        assert problem.detail == row.detail
    assert problem.__cause__ is not None
    assert ("Retry-After" in problem.headers) is (problem.status == 503)
    assert await sql("SELECT 1 FROM authors UNION ALL SELECT 1 FROM loans") == []


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("SELECT * FROM nowhere", "42P01"),
        ("SELECT nothing FROM authors", "42703"),
        ("SELEC 1", "42601"),
        ("SELECT 1 FROM pg_authid WHERE lo_import('x') IS NULL", "58P01"),
    ],
)
async def test_a_bug_stays_an_exception(library: Database, statement: str, state: str) -> None:
    from kingpost.database import sqlstate

    with pytest.raises(DBAPIError) as raised:
        await library.unit_of_work().run(sending(statement))
    assert state[:2] in {"42", "58"}
    assert (sqlstate(raised.value) or "")[:2] == state[:2]

    async def read(session: Any) -> None:
        await session.execute(text(statement))

    with pytest.raises(DBAPIError):
        await library.read(read)


async def test_a_lock_that_is_held_too_long_is_busy(
    open_library: Open, library_url: str, sql: Sql
) -> None:
    await sql("INSERT INTO authors (id, email) VALUES (gen_random_uuid(), 'ada')")
    library = open_library(library_url, lock_timeout=0.05)
    async with Outside(library_url) as other:
        await other("BEGIN")
        await other("SELECT 1 FROM authors FOR UPDATE")
        for waiting in (
            "SELECT 1 FROM authors FOR UPDATE",
            "SELECT 1 FROM authors FOR UPDATE NOWAIT",
        ):
            with pytest.raises(Busy, match="locked"):
                await library.unit_of_work().run(sending(waiting))
        await other("ROLLBACK")


async def test_a_transaction_that_idles_too_long_is_unavailable(
    open_library: Open, library_url: str, sql: Sql
) -> None:
    library = open_library(library_url, attempts=1, idle_transaction_timeout=0.05)

    async def idle(tx: Transaction) -> None:
        pid = await tx.session.scalar(text("SELECT pg_backend_pid()"))

        async def ended() -> bool:
            return not await sql("SELECT 1 FROM pg_stat_activity WHERE pid = :pid", pid=pid)

        await until(ended)
        await tx.session.execute(text("SELECT 1"))

    with pytest.raises(Unavailable):
        await library.unit_of_work().run(idle)


async def test_a_server_without_a_free_connection_is_unavailable(
    open_library: Open, library_url: str, sql: Sql
) -> None:
    role = f"limited_{uuid4().hex}"
    await sql(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 0")
    try:
        library = open_library(library_url.replace("postgres@", f"{role}@"))
        with pytest.raises(Unavailable):
            await library.ping()
    finally:
        await sql(f"DROP ROLE {role}")


async def test_a_delete_that_a_deferred_constraint_refuses_is_a_conflict(
    library: Database, sql: Sql
) -> None:
    """COMMIT fails, so no statement tells the two sides of the foreign key apart."""

    async def lend(tx: Transaction) -> None:
        await adding(book())(tx)
        await tx.session.execute(text("INSERT INTO loans SELECT 1, id, '[1,2)' FROM books"))

    async def delete_lent_book(tx: Transaction) -> None:
        assert await tx.delete_where(Book, Book.title == "Notes") == 1

    await library.unit_of_work().run(lend)
    with pytest.raises(Conflict, match="it is still used by loans"):
        await library.unit_of_work().run(delete_lent_book)
    assert await sql("SELECT count(*) FROM books") == [(1,)]


async def test_a_constraint_is_recognised_with_the_number_of_a_shard(
    open_library: Open, own_library_url: str
) -> None:
    async with Outside(own_library_url) as sql:
        await sql("ALTER INDEX uq_authors_email RENAME TO uq_authors_email_102008")
    library = open_library(own_library_url)

    with pytest.raises(Conflict) as told:
        await library.unit_of_work().run(ROWS["unique"].use)
    assert [error.pointer for error in told.value.errors] == ["/body/email"]


async def test_a_restricted_delete_is_a_conflict(open_library: Open, own_library_url: str) -> None:
    async with Outside(own_library_url) as sql:
        await sql("ALTER TABLE books DROP CONSTRAINT fk_books_author_id_authors")
        await sql(
            "ALTER TABLE books ADD CONSTRAINT fk_books_author_id_authors FOREIGN KEY (author_id) "
            "REFERENCES authors ON DELETE RESTRICT"
        )
    library = open_library(own_library_url)

    with pytest.raises(Conflict, match="it is still used by books"):
        await library.unit_of_work().run(delete_author_with_books)


async def test_a_value_too_large_for_an_index_is_invalid(
    open_library: Open, own_library_url: str
) -> None:
    async with Outside(own_library_url) as sql:
        await sql("CREATE INDEX ON authors (name)")
    library = open_library(own_library_url)
    incompressible = "".join(uuid4().hex for _ in range(1000))

    with pytest.raises(Invalid, match="too large"):
        await library.unit_of_work().run(adding(author(name=incompressible)))
