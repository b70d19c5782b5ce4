from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict
from sqlalchemy import bindparam
from tests.kingpost.library import Author, Book

from kingpost.database import Database, Transaction
from kingpost.pagination import Cursors, Key, Page, PageRequest
from kingpost.projection import Listing, Projection, ProjectionError

CURSORS = Cursors(b"only for tests")


class BookRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    title: str
    year: int | None


class BookShown(BookRead):
    id: UUID


class BookFilter(BaseModel):
    author_id: UUID | None = None
    since: int | None = None


READ = Projection(BookRead, Book)
BY_TITLE = (Key(Book.title, "title"), Key(Book.id, "id"))
WHERE = {
    "author_id": Book.author_id == bindparam("author_id"),
    "since": Book.year >= bindparam("since"),
}
BOOKS = Listing(READ, BY_TITLE, BookFilter, WHERE)


BY_YEAR = (Key(Book.year, "year", nullable=True), Key(Book.id, "id"))


async def titles(database: Database, filters: BookFilter, limit: int = 10) -> list[str]:
    page = await books(database, filters, PageRequest(limit))
    return [BookRead.model_validate_json(item).title for item in page.items]


async def books(database: Database, filters: BookFilter, request: PageRequest) -> Page[str]:
    return await BOOKS.page(database.reads, request, CURSORS, query="books", filters=filters)


async def write_books(database: Database) -> tuple[UUID, UUID]:
    async def create(tx: Transaction) -> tuple[UUID, UUID]:
        ada, grace = Author(email="ada@example.org"), Author(email="grace@example.org")
        tx.session.add_all(
            [
                Book(title="Engines", year=1843, author=ada),
                Book(title="Notes", year=1842, author=ada),
                Book(title="Compilers", year=1952, author=grace),
                Book(title="Undated", author=grace),
            ]
        )
        await tx.session.flush()
        return ada.id, grace.id

    return await database.unit_of_work().run(create)


async def test_only_the_filters_that_are_asked_for_hold(library: Database) -> None:
    ada, _ = await write_books(library)

    everything = ["Compilers", "Engines", "Notes", "Undated"]
    assert await titles(library, BookFilter()) == everything
    assert await titles(library, BookFilter(author_id=ada)) == ["Engines", "Notes"]
    assert await titles(library, BookFilter(since=1843)) == ["Compilers", "Engines"]
    assert await titles(library, BookFilter(author_id=ada, since=1843)) == ["Engines"]
    assert await titles(library, BookFilter()) == everything


async def test_a_page_with_filters_goes_on_where_it_ended(library: Database) -> None:
    ada, _ = await write_books(library)
    filters = BookFilter(author_id=ada)

    first = await books(library, filters, PageRequest(1))
    second = await books(library, filters, PageRequest(1, first.next))

    assert [BookRead.model_validate_json(i).title for i in second.items] == ["Notes"]
    assert second.next is None
    assert second.previous is not None


async def test_the_same_combination_of_filters_is_the_same_sql_whatever_the_values(
    library: Database, statements: Any
) -> None:
    ada, grace = await write_books(library)
    sent = []
    for author in (ada, grace):
        with statements(1) as seen:
            await titles(library, BookFilter(author_id=author))
        sent += seen
    with statements(1) as seen:
        await titles(library, BookFilter(since=1))

    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert seen[0] != sent[0]


@pytest.mark.parametrize("schema", [BookRead, BookShown], ids=["beside", "within"])
async def test_the_place_of_a_row_is_beside_its_document_or_within(
    library: Database, statements: Any, schema: type[BookRead]
) -> None:
    await write_books(library)
    listing = Listing(Projection(schema, Book), BY_YEAR)

    async def page(cursor: str | None) -> Page[str]:
        return await listing.page(library.reads, PageRequest(1, cursor), CURSORS, query="books")

    with statements(1) as sent:
        pages = [await page(None)]
    while cursor := pages[-1].next:
        pages.append(await page(cursor))
    back = [pages[-1]]
    while cursor := back[-1].previous:
        back.append(await page(cursor))

    shown = [BookRead.model_validate_json(page.items[0]).title for page in pages]
    assert shown == ["Notes", "Engines", "Compilers", "Undated"]
    assert [page.items for page in reversed(back)] == [page.items for page in pages]
    assert ("kingpost_key" in sent[0]) == (schema is BookRead)


def test_a_filter_without_a_meaning_is_refused_by_name() -> None:
    with pytest.raises(ProjectionError, match="BookFilter: `where` does not say what since means"):
        Listing(READ, BY_TITLE, BookFilter, {"author_id": WHERE["author_id"]})


def test_a_meaning_without_a_filter_is_refused_by_name() -> None:
    with pytest.raises(ProjectionError, match="BookFilter has no field year, but `where` has"):
        Listing(READ, BY_TITLE, BookFilter, {**WHERE, "year": WHERE["since"]})
    with pytest.raises(ProjectionError, match="a list without filters has no field since"):
        Listing(READ, BY_TITLE, where={"since": WHERE["since"]})
