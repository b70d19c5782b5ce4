from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from tests.kingpost.library import AuditEntry, Author, Base, Book, Loan
from tests.kingpost.support import Counts, Open, Outside, Sql

from kingpost.context import RequestContext, current_request
from kingpost.database import (
    Database,
    DatabaseOptions,
    SessionMisuse,
    Transaction,
    audit_protection_drop_sql,
)
from kingpost.problems import Conflict


async def entries(library: Database) -> list[AuditEntry]:
    async def read(session: Any) -> list[AuditEntry]:
        return list(await session.scalars(select(AuditEntry).order_by(AuditEntry.id)))

    return await library.read(read)


async def create(library: Database, *objects: Any) -> None:
    async def use(tx: Transaction) -> None:
        tx.session.add_all(objects)

    await library.unit_of_work().run(use)


async def test_a_creation_leaves_its_row_without_secrets_and_empty_values(
    library: Database,
) -> None:
    author = Author(email="ada@example.org", password="secret")
    await create(library, author)

    (entry,) = await entries(library)
    assert (entry.action, entry.entity, entry.entity_id) == ("create", "authors", str(author.id))
    assert entry.changes == {
        "id": str(author.id),
        "email": "ada@example.org",
        "version": 1,
        "created_at": author.created_at.isoformat(),
        "updated_at": author.updated_at.isoformat(),
    }
    assert entry.at == author.created_at
    assert entry.id.version == 7


async def test_an_update_leaves_the_differences_only(library: Database) -> None:
    author = Author(email="ada@example.org", name="Ada", password="old")
    await create(library, author)

    async def change(tx: Transaction) -> None:
        found = await tx.session.get_one(Author, author.id)
        found.email, found.name, found.password = "a@example.org", None, "new"

    async def change_nothing(tx: Transaction) -> None:
        found = await tx.session.get_one(Author, author.id)
        found.email = "a@example.org"

    await library.unit_of_work().run(change)
    await library.unit_of_work().run(change_nothing)
    _, entry = await entries(library)
    assert entry.action == "update"
    assert entry.changes == {"email": ["ada@example.org", "a@example.org"], "name": ["Ada", None]}


async def test_a_deletion_leaves_the_last_values(library: Database) -> None:
    author = Author(email="ada@example.org", password="secret")
    await create(library, author)

    async def remove(tx: Transaction) -> None:
        await tx.session.delete(await tx.session.get_one(Author, author.id))

    await library.unit_of_work().run(remove)
    _, entry = await entries(library)
    assert (entry.action, entry.entity_id) == ("delete", str(author.id))
    assert entry.changes["email"] == "ada@example.org"
    assert "password" not in entry.changes


async def test_several_flushes_leave_a_row_each_in_their_order(library: Database) -> None:
    async def use(tx: Transaction) -> None:
        author = Author(email="ada@example.org")
        tx.session.add(author)
        await tx.session.flush()
        author.name = "Ada"
        await tx.session.flush()
        await tx.session.delete(author)

    await library.unit_of_work().run(use)
    found = await entries(library)
    assert [entry.action for entry in found] == ["create", "update", "delete"]


async def test_many_changes_are_written_with_one_statement(
    library: Database, counts: Counts
) -> None:
    await create(library, *(Author(email=f"{n}@example.org") for n in range(100)))

    audit = [sql for _, _, sql in counts.statements if "INSERT INTO audit_entries" in sql]
    assert len(audit) == 1
    assert len(await entries(library)) == 100


async def test_a_rolled_back_change_leaves_no_row(library: Database) -> None:
    await create(library, Author(email="ada@example.org"))
    with pytest.raises(Conflict):
        await create(library, Author(email="bob@example.org"), Author(email="ADA@example.org"))

    assert len(await entries(library)) == 1


async def test_who_comes_from_the_request_or_from_the_unit_of_work(library: Database) -> None:
    async def use(tx: Transaction) -> None:
        tx.session.add(Author(email=f"{len(seen)}@example.org"))

    seen: list[Any] = []
    token = current_request.set(RequestContext("r-1", actor="key:1"))
    try:
        await library.unit_of_work().run(use)
        seen.append(1)
        await library.unit_of_work(actor="cli", request_id="r-2").run(use)
        seen.append(2)
    finally:
        current_request.reset(token)
    await library.unit_of_work().run(use)

    who = [(entry.actor, entry.request_id) for entry in await entries(library)]
    assert who == [("key:1", "r-1"), ("cli", "r-2"), (None, None)]


async def test_the_time_is_that_of_the_database(library: Database, sql: Sql) -> None:
    await create(library, Author(email="ada@example.org"))

    (entry,) = await entries(library)
    ((now,),) = await sql("SELECT now()")
    assert entry.at.utcoffset() == timedelta(0)
    assert timedelta(0) <= now - entry.at < timedelta(minutes=5)


async def test_values_without_a_form_in_json_become_text_and_bytes_stay_out(
    library: Database,
) -> None:
    author = Author(email="ada@example.org")
    book = Book(
        title="Notes",
        author=author,
        price=Decimal("12.30"),
        cover=b"\x00\xff",
        notes={"at": [1, 2.5, None, True]},
    )
    await create(library, author, book)

    found = {entry.entity: entry.changes for entry in await entries(library)}["books"]
    assert found == {
        "id": str(book.id),
        "title": "Notes",
        "author_id": str(author.id),
        "price": "12.30",
        "notes": {"at": [1, 2.5, None, True]},
    }


async def test_a_model_that_does_not_opt_in_leaves_no_row(library: Database) -> None:
    author = Author(email="ada@example.org")
    book = Book(title="Notes", author=author)
    await create(library, author, book)

    async def lend(tx: Transaction) -> None:
        await tx.session.execute(
            insert(Loan).values(id=1, book_id=book.id, during=text("'[1,2)'::int4range"))
        )

    await library.unit_of_work().run(lend)
    assert {entry.entity for entry in await entries(library)} == {"authors", "books"}


@pytest.mark.parametrize(
    "statement",
    [
        insert(Author).values(email="ada@example.org"),
        update(Author).values(name="Ada"),
        delete(Author),
        delete(Author.__table__),
        text("UPDATE authors SET name = 'Ada'"),
        text('DELETE FROM ONLY public."authors"'),
        text("WITH gone AS (DELETE FROM books RETURNING *) SELECT count(*) FROM gone"),
        text("TRUNCATE authors CASCADE"),
    ],
    ids=str,
)
async def test_a_bulk_change_that_no_row_would_show_is_refused(
    library: Database, statement: Any
) -> None:
    async def use(tx: Transaction) -> None:
        await tx.session.execute(statement)

    with pytest.raises(SessionMisuse, match="delete_where"):
        await library.unit_of_work().run(use)


async def test_a_bulk_change_may_say_that_it_is_not_audited(library: Database, sql: Sql) -> None:
    await create(library, Author(email="ada@example.org"))

    async def use(tx: Transaction) -> None:
        await tx.session.execute(
            update(Author).values(name="A"), execution_options={"audited": False}
        )
        await tx.session.execute(select(Author).with_for_update())

    await library.unit_of_work().run(use)
    assert await sql("SELECT name FROM authors") == [("A",)]
    assert len(await entries(library)) == 1


async def test_delete_where_leaves_a_row_for_each_row_in_one_statement(
    library: Database, counts: Counts
) -> None:
    author = Author(email="ada@example.org")
    books = [
        Book(title=f"Part {n}", author=author, price=Decimal("1.50"), cover=b"x") for n in range(3)
    ]
    await create(library, author, *books)
    counts.statements.clear()

    async def remove(tx: Transaction) -> int:
        return await tx.delete_where(Book, Book.author_id == author.id, Book.title != "Part 0")

    assert await library.unit_of_work(actor="me", request_id="r-1").run(remove) == 2
    assert len(counts.statements) == 1
    deleted = [entry for entry in await entries(library) if entry.action == "delete"]
    assert {entry.entity_id for entry in deleted} == {str(book.id) for book in books[1:]}
    assert {entry.entity for entry in deleted} == {"books"}
    assert {(entry.actor, entry.request_id) for entry in deleted} == {("me", "r-1")}
    by_title = {entry.changes["title"]: entry.changes for entry in deleted}
    assert by_title["Part 1"] == {
        "id": str(books[1].id),
        "title": "Part 1",
        "author_id": str(author.id),
        "price": "1.50",
    }
    assert all(_is_recent_uuid7(entry.id) for entry in deleted)


def _is_recent_uuid7(value: UUID) -> bool:
    made = datetime.fromtimestamp((value.int >> 80) / 1000, UTC)
    return value.version == 7 and abs(datetime.now(UTC) - made) < timedelta(minutes=5)


async def test_delete_where_keeps_secrets_out_and_needs_a_condition(library: Database) -> None:
    await create(library, Author(email="ada@example.org", password="secret"))

    async def remove(tx: Transaction) -> int:
        return await tx.delete_where(Author, Author.email == "ada@example.org")

    async def remove_everything(tx: Transaction) -> int:
        return await tx.delete_where(Author)

    assert await library.unit_of_work().run(remove) == 1
    assert "secret" not in str([entry.changes for entry in await entries(library)])
    with pytest.raises(ValueError, match="condition"):
        await library.unit_of_work().run(remove_everything)


async def test_delete_where_sees_what_the_session_has_not_flushed_yet(library: Database) -> None:
    async def use(tx: Transaction) -> int:
        tx.session.add(Author(email="ada@example.org"))
        return await tx.delete_where(Author, Author.email == "ada@example.org")

    assert await library.unit_of_work().run(use) == 1
    assert {entry.action for entry in await entries(library)} == {"create", "delete"}


async def test_without_an_audit_model_nothing_is_written_and_bulk_changes_are_free(
    library_url: str, sql: Sql
) -> None:
    library = Database(DatabaseOptions(library_url), metadata=Base.metadata)

    async def use(tx: Transaction) -> int:
        tx.session.add(Author(email="ada@example.org"))
        await tx.session.flush()
        await tx.session.execute(update(Author).values(name="Ada"))
        return await tx.delete_where(Author, Author.name == "Ada")

    try:
        assert await library.unit_of_work().run(use) == 1
    finally:
        await library.close()
    assert await sql("SELECT count(*) FROM audit_entries") == [(0,)]


@pytest.mark.parametrize(
    ("statement", "verb"),
    [
        ("UPDATE audit_entries SET actor = 'nobody'", "UPDATE"),
        ("DELETE FROM audit_entries", "DELETE"),
        ("DELETE FROM audit_entries WHERE false", "DELETE"),
        ("TRUNCATE audit_entries", "TRUNCATE"),
    ],
)
async def test_the_database_itself_refuses_to_change_audit_rows(
    library: Database, sql: Sql, statement: str, verb: str
) -> None:
    await create(library, Author(email="ada@example.org"))

    with pytest.raises(DBAPIError, match=f"audit_entries is append-only, {verb} is refused"):
        await sql(statement)
    assert len(await entries(library)) == 1


async def test_the_protection_can_be_taken_back(own_library_url: str) -> None:
    async with Outside(own_library_url) as sql:
        for statement in audit_protection_drop_sql("audit_entries"):
            await sql(statement)
        await sql("TRUNCATE audit_entries")


async def test_who_and_what_are_kept_when_the_use_case_is_run_again(
    open_library: Open, library_url: str, counts: Counts
) -> None:
    library = open_library(library_url)
    runs: list[str] = []

    async def use(tx: Transaction) -> None:
        runs.append("run")
        tx.session.add(Author(email="ada@example.org"))
        await tx.session.flush()
        if len(runs) == 1:
            await tx.session.execute(
                text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")
            )

    await library.unit_of_work().run(use)
    assert counts.retries == ["40001"]
    assert len(await entries(library)) == 1
