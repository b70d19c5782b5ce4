import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import ColumnElement, FromClause, String, cast, event, func, select
from sqlalchemy.dialects.postgresql import Range
from tests.kingpost.library import AuditEntry, Author, Base, Book, Loan
from tests.kingpost.proxy import Proxy
from tests.kingpost.support import Counts, Open, Outside, Sql

from kingpost.context import RequestContext, current_request
from kingpost.database import Database, DatabaseOptions, SessionMisuse, Transaction


class Shown:
    """Some columns of the new row as a JSON object."""

    def __init__(self, *columns: str) -> None:
        self.columns = columns

    def row_of(self, source: FromClause) -> list[ColumnElement[str]]:
        pairs = [part for name in self.columns for part in (name, source.c[name])]
        return [cast(func.json_build_object(*pairs), String)]

    def wrap(self, *row: Any) -> Any:
        return json.loads(row[0])


class WithAuthor(Shown):
    def row_of(self, source: FromClause) -> list[ColumnElement[str]]:
        email = select(Author.email).where(Author.id == source.c.author_id).scalar_subquery()
        return [cast(func.json_build_object("title", source.c.title, "by", email), String)]


AUTHOR = Shown("id", "email", "name", "version")
BOOK = Shown("id", "title")
ADA = "ada@example.org"


@contextmanager
def asked_by(request: RequestContext) -> Iterator[RequestContext]:
    token = current_request.set(request)
    yield request
    current_request.reset(token)


async def entries(library: Database) -> list[AuditEntry]:
    async def read(session: Any) -> list[AuditEntry]:
        return list(await session.scalars(select(AuditEntry).order_by(AuditEntry.id)))

    return await library.read(read)


async def add(library: Database, *objects: Any) -> None:
    async def use(tx: Transaction) -> None:
        tx.session.add_all(objects)

    await library.unit_of_work().run(use)


async def test_the_answer_is_made_of_the_new_row(library: Database, sql: Sql) -> None:
    made = await library.unit_of_work().insert(Author(email=ADA, name="Ada"), show=AUTHOR)

    [(key, email, name, version)] = await sql("SELECT id, email, name, version FROM authors")
    assert made == {"id": str(key), "email": email, "name": name, "version": version}
    assert (email, name, version, key.version) == (ADA, "Ada", 1, 7)


async def test_the_answer_may_hold_rows_of_other_tables(library: Database) -> None:
    author = Author(email=ADA)
    await add(library, author)

    book = Book(title="Notes", author_id=author.id)
    assert await library.unit_of_work().insert(book, show=WithAuthor()) == {
        "title": "Notes",
        "by": ADA,
    }


async def test_the_audit_row_is_the_one_that_a_session_would_have_left(library: Database) -> None:
    def author() -> Author:
        return Author(id=uuid4(), email=f"{uuid4()}@example.org", password="secret")

    one, other = author(), author()
    with asked_by(RequestContext("r-1", actor="key:1")):
        await add(library, one)
        await library.unit_of_work().insert(other, show=AUTHOR)

    by_session, by_insert = await entries(library)
    assert by_insert.changes.keys() == by_session.changes.keys()
    assert "secret" not in str(by_insert.changes)
    for entry, made in ((by_session, one), (by_insert, other)):
        assert (entry.actor, entry.request_id) == ("key:1", "r-1")
        assert (entry.action, entry.entity, entry.entity_id) == ("create", "authors", str(made.id))
        assert entry.id.version == 7
        assert entry.changes == {
            "id": str(made.id),
            "email": made.email,
            "version": 1,
            "created_at": entry.at.isoformat(),
            "updated_at": entry.at.isoformat(),
        }


async def test_who_comes_from_the_request_or_from_the_unit_of_work(library: Database) -> None:
    with asked_by(RequestContext("r-1", actor="key:1")):
        await library.unit_of_work().insert(Author(email="1"), show=AUTHOR)
        work = library.unit_of_work(actor="cli", request_id="r-2")
        await work.insert(Author(email="2"), show=AUTHOR)
    await library.unit_of_work().insert(Author(email="3"), show=AUTHOR)

    who = [(entry.actor, entry.request_id) for entry in await entries(library)]
    assert who == [("key:1", "r-1"), ("cli", "r-2"), (None, None)]


async def test_an_insert_with_its_audit_row_is_one_round_trip(
    open_library: Open, proxy: Proxy, counts: Counts
) -> None:
    library = open_library(proxy.url)
    with asked_by(RequestContext("r-1")) as request:
        for number in range(3):
            await library.unit_of_work().insert(Author(email=f"{number}"), show=AUTHOR)
        proxy.round_trips.clear()
        counts.statements.clear()
        await library.unit_of_work().insert(Author(email=ADA), show=AUTHOR)

    assert len(proxy.round_trips) == 1, proxy.round_trips
    assert len(counts.statements) == 1
    assert (request.statements, request.committing, request.committed) == (4, False, True)


async def test_a_model_that_is_not_audited_leaves_no_audit_row(library: Database, sql: Sql) -> None:
    author = Author(email=ADA)
    book = Book(title="Notes", author=author)
    await add(library, author, book)

    loan = Loan(id=1, book_id=book.id, during=Range(1, 2))
    await library.unit_of_work().insert(loan, show=Shown("id"))
    assert await sql("SELECT count(*) FROM loans") == [(1,)]
    assert {entry.entity for entry in await entries(library)} == {"authors", "books"}


async def test_without_an_audit_model_there_is_no_audit_row(library_url: str, sql: Sql) -> None:
    library = Database(DatabaseOptions(library_url), metadata=Base.metadata)
    try:
        made = await library.unit_of_work().insert(Author(email=ADA), show=AUTHOR)
    finally:
        await library.close()
    assert made["email"] == ADA
    assert await sql("SELECT count(*) FROM audit_entries") == [(0,)]


async def test_the_object_stays_as_it_was(library: Database) -> None:
    author = Author(email=ADA)
    await library.unit_of_work().insert(author, show=AUTHOR)
    assert author.id is None


async def test_behind_pgbouncer_it_is_a_transaction(
    open_library: Open, pgbouncer_url: str, sql: Sql
) -> None:
    library = open_library(pgbouncer_url, pooler="pgbouncer")
    with asked_by(RequestContext("r-1")) as request:
        made = await library.unit_of_work().insert(Author(email=ADA), show=AUTHOR)

    assert made["email"] == ADA
    assert request.committed
    assert await sql("SELECT entity_id FROM audit_entries") == [(made["id"],)]


async def test_it_is_refused_inside_a_transaction(library: Database, sql: Sql) -> None:
    async def use(_: Transaction) -> None:
        await library.unit_of_work().insert(Author(email=ADA), show=AUTHOR)

    with pytest.raises(SessionMisuse, match="pass its tx on"):
        await library.unit_of_work().run(use)
    assert await sql("SELECT 1 FROM authors") == []


async def test_an_object_of_a_session_is_refused(library: Database) -> None:
    author = Author(email=ADA)
    await add(library, author)
    with pytest.raises(SessionMisuse, match="in a session or stored already"):
        await library.unit_of_work().insert(author, show=AUTHOR)


async def test_related_objects_are_refused(library: Database) -> None:
    book = Book(title="Notes", author=Author(email=ADA))
    with pytest.raises(SessionMisuse, match=r"Book.author is set: give its key"):
        await library.unit_of_work().insert(book, show=BOOK)


async def test_a_value_given_as_sql_is_refused(library: Database) -> None:
    author = Author(email=func.lower(ADA))
    with pytest.raises(SessionMisuse, match="email is given as SQL"):
        await library.unit_of_work().insert(author, show=AUTHOR)


@pytest.mark.parametrize("hook", ["before_insert", "after_insert"])
async def test_a_model_with_hooks_is_refused(library: Database, hook: str) -> None:
    def listener(*_: Any) -> None: ...

    event.listen(Author, hook, listener)
    try:
        with pytest.raises(SessionMisuse, match="hooks"):
            await library.unit_of_work().insert(Author(email=ADA), show=AUTHOR)
    finally:
        event.remove(Author, hook, listener)
    await library.unit_of_work().insert(Author(email=ADA), show=AUTHOR)


async def test_a_row_that_a_trigger_drops_is_no_success(
    open_library: Open, own_library_url: str
) -> None:
    library = open_library(own_library_url)
    async with Outside(own_library_url) as sql:
        await sql(
            "CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
        )
        await sql(
            "CREATE TRIGGER t BEFORE INSERT ON authors FOR EACH ROW EXECUTE FUNCTION drop_it()"
        )

    with pytest.raises(SessionMisuse, match="Author got no row: a trigger"):
        await library.unit_of_work().insert(Author(email=ADA), show=AUTHOR)
