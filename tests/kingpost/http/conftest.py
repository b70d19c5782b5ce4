"""A tiny service without tables: what is tested here ends before the database."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Query
from sqlalchemy import MetaData

from kingpost.database import Database, DatabaseOptions
from kingpost.http import Route, Runtime, install, needs
from kingpost.http.types import Filter, Id, Line, Number, Schema
from kingpost.pagination import Cursors
from kingpost.problems import Unauthenticated
from kingpost.security import Principal
from kingpost.server import State


class Book(Schema):
    title: Line


class BookFilter(Filter):
    author: Line | None = None
    year: Number | None = None


class NameAuthenticator:
    """Whoever says a name is let in with the scope of that name."""

    async def authenticate(self, authorization: list[str]) -> Principal:
        if not authorization:
            raise Unauthenticated
        return Principal(f"name:{authorization[0]}", frozenset({authorization[0]}))


def book_router() -> APIRouter:
    router = APIRouter(prefix="/books", route_class=Route)
    may_write = Annotated[Principal, needs("books:write")]

    @router.get("")
    async def list_books(filters: Annotated[BookFilter, Query()], limit: Number = 1) -> list[Any]:
        return [filters.author, filters.year, limit]

    @router.get("/{book_id}")
    async def get_book(book_id: Id) -> Book:
        return Book(title=str(book_id))

    @router.post("", status_code=201)
    async def create_book(book: Book, principal: may_write) -> Book:
        assert principal.actor.startswith("name:")
        return book

    @router.put("/{book_id}", max_body_size=50)
    async def put_book(book_id: Id, book: Book, _: may_write) -> Book:
        assert book_id
        return book

    @router.get("/broken/{n}")
    async def broken(n: int) -> Book:
        raise ZeroDivisionError(n)

    return router


@pytest.fixture
def library() -> FastAPI:
    app = FastAPI(title="Books", openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(book_router(), prefix="/v1")
    runtime = Runtime(
        database=Database(DatabaseOptions(url="postgresql+asyncpg:///x"), metadata=MetaData()),
        authenticator=NameAuthenticator(),
        cursors=Cursors(b"x" * 32),
        max_body_bytes=1024,
        state=State(),
    )
    install(app, runtime, request_timeout=5, docs=True, operations=True, development=True)
    return app


@pytest.fixture
async def books(library: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(library)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
