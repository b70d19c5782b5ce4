"""Routes that honour Idempotency-Key in other ways than the service's own do."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
import pytest_asyncio
from fastapi import APIRouter, Depends, FastAPI
from starlette.responses import Response, StreamingResponse

from app.schemas.users import UserCreate, UserRead
from app.services.users import UserService
from kingpost.http import Route, idempotent, install
from kingpost.projection import Document
from kingpost.testing.databases import execute

ADA = {"email": "ada@example.com"}


async def generator() -> AsyncIterator[int]:
    yield 1  # no plan is made for a generator


def router(users: UserService) -> APIRouter:
    made = APIRouter(route_class=Route)

    @made.post("/required", dependencies=[idempotent(required=True)], status_code=201)
    async def required(new: UserCreate) -> Document[UserRead]:
        return await users.create(new)

    @made.post("/unplanned", dependencies=[idempotent()], status_code=201)
    async def unplanned(
        new: UserCreate, _: Annotated[int, Depends(generator)]
    ) -> Document[UserRead]:
        return await users.create(new)

    @made.post("/streamed", dependencies=[idempotent()])
    async def streamed(new: UserCreate) -> Response:
        await users.create(new)
        return StreamingResponse(iter([b"a", b"b"]))

    @made.post("/refused", dependencies=[idempotent()])
    async def refused(new: UserCreate) -> Response:
        await users.create(new)
        return Response("no", 409)

    return made


@pytest_asyncio.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A service with other routes on the database of the real one."""
    runtime = app.state.kingpost
    other = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    other.include_router(router(UserService(runtime.database.unit_of_work(actor="test"))))
    install(other, runtime, request_timeout=10, docs=False, operations=False, development=True)
    transport = httpx.ASGITransport(other)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def keyed(path: str) -> dict[str, Any]:
    return {"url": path, "json": ADA, "headers": {"Idempotency-Key": '"k"'}}


def users(url: str) -> int:
    return int(execute(url, "SELECT count(*) FROM users")[0][0])


async def test_a_route_may_require_a_key(http, database_url):
    without = await http.post("/required", json=ADA)
    assert (without.status_code, users(database_url)) == (400, 0)
    assert without.json()["type"] == "/problems/idempotency-key-required"

    assert (await http.post(**keyed("/required"))).status_code == 201


@pytest.mark.parametrize("around", [[], [idempotent()]])
async def test_the_document_says_where_a_key_is_required(app, around):
    other = FastAPI()
    services = UserService(app.state.kingpost.database.unit_of_work(actor="test"))
    other.include_router(router(services), dependencies=around)
    paths = other.openapi()["paths"]

    def is_required(path: str) -> list[bool]:
        parameters = paths[path]["post"]["parameters"]
        return [p["required"] for p in parameters if p["name"] == "Idempotency-Key"]

    assert is_required("/required") == [True]
    assert is_required("/unplanned") == [False]


async def test_a_route_that_fastapi_serves_itself_replays_too(http, database_url):
    first, again = [await http.post(**keyed("/unplanned")) for _ in "12"]

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.content, users(database_url)) == (first.content, 1)


async def test_an_answer_that_cannot_be_remembered_changes_nothing(http, database_url):
    answer = await http.post(**keyed("/streamed"))

    assert (answer.status_code, users(database_url)) == (500, 0)
    assert (await http.post("/streamed", json=ADA)).content == b"ab"  # without a key it may


async def test_an_answer_that_refuses_is_not_remembered_and_changes_nothing(http, database_url):
    answers = [await http.post(**keyed("/refused")) for _ in "12"]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert not any("Idempotency-Replayed" in answer.headers for answer in answers)
    assert users(database_url) == 0
