from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Query, Request

from kingpost.context import RequestContext, current_request
from kingpost.http import Route, needs
from kingpost.http.planned import Plan

WRITER = {"Authorization": "books:write"}
JSON = WRITER | {"Content-Type": "application/json"}
BOOK = {"title": "Sketch"}
BOOK_ID = UUID("0199f3f0-7b1c-7000-8000-000000000001")


async def test_the_checks_come_in_the_order_of_the_status_policy(books: httpx.AsyncClient) -> None:
    async def put(**given: object) -> tuple[int, str]:
        request = {"headers": {}, "content": b"", "params": {}} | given
        answer = await books.request("PUT", f"/v1/books/{BOOK_ID}", **request)
        return answer.status_code, answer.json().get("type", "").removeprefix("/problems/")

    json = JSON
    bad_query = {"x": "1"}

    assert await put(params=bad_query, content=b"{") == (401, "unauthenticated")
    reader = {"Authorization": "books:read"}
    assert await put(headers=reader, params=bad_query, content=b"{") == (403, "forbidden")
    assert await put(headers=WRITER, params=bad_query, content=b"{") == (422, "unknown-parameter")
    assert await put(headers=WRITER, content=b"{") == (415, "unsupported-media-type")
    assert await put(headers=json, content=b"{" * 51) == (413, "content-too-large")
    assert await put(headers=json, content=b"{") == (400, "malformed-json")
    assert await put(headers=json, content=b"{}") == (422, "validation-error")
    assert await put(headers=json, content=b'{"title": "x"}') == (200, "")


async def test_a_route_may_have_a_body_limit_of_its_own(books: httpx.AsyncClient) -> None:
    long = {"title": "x" * 100}

    post = await books.post("/v1/books", json=long, headers=WRITER)
    put = await books.put(f"/v1/books/{BOOK_ID}", json=long, headers=WRITER)

    assert (post.status_code, put.status_code) == (201, 413)
    assert put.headers["connection"] == "close"


async def test_a_body_without_a_length_is_cut_at_the_limit_too(books: httpx.AsyncClient) -> None:
    sent = 0

    async def endless():  # type: ignore[no-untyped-def] # a generator for the client
        nonlocal sent
        while True:
            sent += 100
            yield b"x" * 100

    headers = WRITER | {"Content-Type": "application/json"}
    answer = await books.post("/v1/books", content=endless(), headers=headers)

    assert answer.status_code == 413
    assert sent < 2000


async def test_a_model_of_parameters_counts_as_its_fields(books: httpx.AsyncClient) -> None:
    good = await books.get("/v1/books", params={"author": "Ada", "year": "1843"})
    unknown = await books.get("/v1/books", params={"autor": "Ada"})
    repeated = await books.get("/v1/books?year=1&year=2")

    assert good.json()[:2] == ["Ada", 1843]
    assert unknown.json()["errors"][0]["detail"].endswith("Did you mean author?")
    assert repeated.status_code == 422


async def test_an_impossible_id_is_not_found_before_the_body_matters(
    books: httpx.AsyncClient,
) -> None:
    answer = await books.get("/v1/books/1")

    assert answer.status_code == 404
    assert "errors" not in answer.json()


async def test_a_bug_is_a_problem_without_a_stack_trace(books: httpx.AsyncClient) -> None:
    answer = await books.get("/v1/books/broken/1")

    assert answer.status_code == 500
    assert answer.json()["type"] == "/problems/internal-error"
    assert "ZeroDivision" not in answer.text


async def test_every_method_of_a_path_is_allowed_wherever_its_route_is(
    books: httpx.AsyncClient,
) -> None:
    one = await books.delete(f"/v1/books/{BOOK_ID}")
    options = await books.options("/v1/books")
    nothing = await books.options("/v1/nothing")
    docs = await books.post("/docs")

    assert one.headers["allow"] == "GET, HEAD, OPTIONS, PUT"
    assert options.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert nothing.status_code == 404
    assert docs.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_the_reference_needs_no_internet(books: httpx.AsyncClient) -> None:
    page = await books.get("/docs")
    assets = [word for word in page.text.split('"') if word.startswith("/docs/assets/")]

    assert len(assets) == 3
    for path in [*assets, "/openapi.json"]:
        assert (await books.get(path)).status_code == 200
    assert "https://" not in page.text


async def test_the_document_declares_every_problem_a_route_can_answer_with(
    library: FastAPI,
) -> None:
    paths = library.openapi()["paths"]

    assert paths["/v1/books"]["get"]["responses"].keys() == {"200", "400", "422", "503", "default"}
    assert paths["/v1/books"]["post"]["responses"].keys() == {
        *("201", "400", "401", "403", "408", "413", "415", "422", "429", "503", "default")
    }
    assert paths["/v1/books"]["post"]["security"] == [{"ApiKey": ["books:write"]}]


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the requests that were served by a plan."""
    served: list[str] = []
    answer = Plan.answer

    async def noted(self: Plan, request: Request, *given: Any) -> Any:
        served.append(request.url.path)
        return await answer(self, request, *given)

    monkeypatch.setattr(Plan, "answer", noted)
    return served


async def shelf(request: Request, room: Annotated[str, Query()] = "none") -> None:
    request.state.room = room


def guarded() -> APIRouter:
    """Routes whose scope and query parameters come from the router around them."""
    inner = APIRouter(route_class=Route)

    @inner.get("/guarded")
    async def get(request: Request) -> str:
        return str(request.state.room)

    outer = APIRouter()
    guards = [Depends(shelf), needs("books:guard")]
    outer.include_router(inner, prefix="/v1", dependencies=guards)
    return outer


@pytest.mark.parametrize("is_overruled", [False, True])
async def test_what_a_router_asks_for_is_checked_too(
    library: FastAPI, books: httpx.AsyncClient, is_overruled: bool, plans: list[str]
) -> None:
    library.include_router(guarded())
    if is_overruled:
        library.dependency_overrides[guarded] = guarded
    guard = {"Authorization": "books:guard"}

    nobody = await books.get("/v1/guarded")
    stranger = await books.get("/v1/guarded", headers=WRITER)
    confused = await books.get("/v1/guarded?rom=1", headers=guard)
    welcome = await books.get("/v1/guarded?room=1", headers=guard)

    statuses = [answer.status_code for answer in (nobody, stranger, confused, welcome)]
    assert statuses == [401, 403, 422, 200]
    assert welcome.json() == "1"
    assert len(plans) == (not is_overruled)


@pytest.mark.parametrize("is_overruled", [False, True])
async def test_the_checks_come_before_the_plan_and_before_fastapi(
    library: FastAPI, books: httpx.AsyncClient, is_overruled: bool, plans: list[str]
) -> None:
    if is_overruled:
        library.dependency_overrides[guarded] = guarded

    unknown = await books.get("/v1/books?limt=1")
    repeated = await books.post("/v1/books", content=b'{"title":"a","title":"b"}', headers=JSON)
    created = await books.post("/v1/books", content=b'{"title":"a"}', headers=JSON)
    wrong = await books.post("/v1/books", content=b'{"name":"a"}', headers=JSON)

    statuses = [answer.status_code for answer in (unknown, repeated, created, wrong)]
    assert statuses == [422, 400, 201, 422]
    assert wrong.json()["errors"][0]["pointer"] == "/body/title"
    assert len(plans) == (0 if is_overruled else 2)


async def test_a_route_without_the_middleware_names_itself_for_the_log(plans: list[str]) -> None:
    app = FastAPI()
    router = APIRouter(route_class=Route)

    @router.delete("/books/{n}", status_code=204)
    async def delete(n: int) -> None:
        assert n

    app.include_router(router, prefix="/v1")
    context = RequestContext("1")
    current_request.set(context)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client:
        answer = await client.delete("/v1/books/1")

    assert answer.status_code == 204
    assert "content-type" not in answer.headers
    assert context.route == "/v1/books/{n}"
    assert len(plans) == 1
