"""Documents of the library's small world, with authors in books and books in authors."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Select
from tests.kingpost.library import Author, Book
from tests.kingpost.support import Sql

from kingpost.database import Database
from kingpost.http.types import Instant
from kingpost.projection import Lookup, Nested, Projection


class Schema(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class AuthorName(Schema):
    email: str
    name: str | None


class BookSummary(Schema):
    title: str
    year: int | None


class BookRead(BookSummary):
    id: UUID
    author: AuthorName


class AuthorRead(AuthorName):
    id: UUID
    created_at: Instant
    books: list[BookSummary]


ORDER = [Book.year.desc(), Book.title]
BOOK = Projection(BookRead, Book)
AUTHOR = Projection(AuthorRead, Author, books=Nested(Author.books, order=ORDER, limit=2))
ANN, BEN = UUID(int=1), UUID(int=2)


@pytest.fixture
async def filled(library: Database, sql: Sql) -> Database:
    add = "INSERT INTO authors (id, email, name, created_at) VALUES (:id, :email, :name, :at)"
    at = datetime(2026, 11, 22, 4, 15, tzinfo=UTC)
    await sql(add, id=ANN, email="ann@example.org", name='Ann "O\'Hara" \\ 🦆', at=at)
    await sql(add, id=BEN, email="ben@example.org", name=None, at=at)
    for n, year in enumerate((2001, 2003, 2002)):
        values = {"id": UUID(int=10 + n), "title": f"Book {n}", "author": ANN, "year": year}
        await sql("INSERT INTO books (id, title, author_id, year) "
                  "VALUES (:id, :title, :author, :year)", **values)  # fmt: skip
    return library


async def documents(database: Database, statement: Select[Any]) -> list[Any]:
    async def read(session: Any) -> list[str]:
        return list((await session.execute(statement)).scalars())

    return [json.loads(found) for found in await database.read(read)]


async def test_an_object_is_nested_through_its_relationship(filled: Database) -> None:
    [book] = await documents(filled, BOOK.select().where(Book.id == UUID(int=10)))

    assert book == {
        "title": "Book 0",
        "year": 2001,
        "id": str(UUID(int=10)),
        "author": {"email": "ann@example.org", "name": 'Ann "O\'Hara" \\ 🦆'},
    }


async def test_a_list_is_nested_in_its_order_and_up_to_its_limit(filled: Database) -> None:
    [ann, ben] = await documents(filled, AUTHOR.select().order_by(Author.email))

    assert ann["books"] == [{"title": "Book 1", "year": 2003}, {"title": "Book 2", "year": 2002}]
    assert ben["books"] == []
    assert ann["created_at"] == "2026-11-22T04:15:00Z"


async def test_a_lookup_finds_one_document_or_none(filled: Database) -> None:
    by_id = Lookup(BOOK, Book.id)

    found = await by_id.find(filled.reads, UUID(int=10))

    assert found is not None
    assert found.read(BookRead).author.email == "ann@example.org"
    assert await by_id.find(filled.reads, UUID(int=99)) is None
