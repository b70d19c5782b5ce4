"""What is said at the start about routes and Idempotency-Key."""

import logging

import pytest
from fastapi import APIRouter, FastAPI
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase
from tests.kingpost.http.installing import installed

from kingpost.database import NAMING_CONVENTION, Database, DatabaseOptions, SessionMisuse
from kingpost.http import Route, idempotent, unkeyed
from kingpost.idempotency import Idempotency, IdempotencyKeyMixin


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class RememberedAnswer(IdempotencyKeyMixin, Base):
    __tablename__ = "remembered_answers"


def library(*dependencies: object, around: object = None, remembers: bool) -> FastAPI:
    router = APIRouter(route_class=Route)

    @router.get("/books")
    async def list_books() -> list[str]:
        return []

    @router.post("/books", dependencies=[*dependencies])
    async def create_book() -> str:
        return "made"

    app = FastAPI()
    app.include_router(router, prefix="/v1", dependencies=[around] if around else [])
    database = Database(DatabaseOptions(url="postgresql+asyncpg:///x"), metadata=Base.metadata)
    idempotency = Idempotency(database, RememberedAnswer, secret=b"x" * 32, seconds=60)
    return installed(app, database, idempotency=idempotency if remembers else None)


def test_a_route_that_promises_what_the_service_cannot_keep_stops_the_start() -> None:
    with pytest.raises(SessionMisuse, match=r"^POST /v1/books is idempotent\(\): give Runtime an"):
        library(idempotent(), remembers=False)


def test_the_promise_of_a_router_counts_as_well() -> None:
    with pytest.raises(SessionMisuse, match=r"^POST /v1/books |^GET /v1/books "):
        library(around=idempotent(), remembers=False)


def test_a_post_that_says_nothing_of_keys_is_named_in_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    library(remembers=True)

    [record] = [each for each in caplog.records if each.name == "kingpost.http"]
    assert record.levelno == logging.WARNING
    assert record.message.startswith("POST /v1/books: an Idempotency-Key is ignored")


@pytest.mark.parametrize("said", [idempotent(), idempotent(required=True), unkeyed()])
@pytest.mark.parametrize("by_router", [False, True])
def test_a_post_that_says_it_is_not_named(
    caplog: pytest.LogCaptureFixture, said: object, by_router: bool
) -> None:
    library(*([] if by_router else [said]), around=said if by_router else None, remembers=True)

    assert not [each for each in caplog.records if each.name == "kingpost.http"]


def test_a_service_that_remembers_nothing_needs_no_such_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    library(remembers=False)

    assert not [each for each in caplog.records if each.name == "kingpost.http"]
