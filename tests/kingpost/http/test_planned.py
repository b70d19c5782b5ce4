"""A planned route answers as FastAPI's own: each request here goes to both."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import httpx
import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastAPI,
    Header,
    Path,
    Query,
    Request,
    Response,
    Security,
    routing,
)
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from pydantic import BaseModel, ConfigDict
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from kingpost.http.planned import Plan, PlannedRoute
from kingpost.projection import Document

Add = Callable[[APIRouter], None]


class Book(BaseModel):
    title: str
    year: int = 1843


class Shelf(BaseModel):
    model_config = ConfigDict(extra="forbid")

    room: int
    row: int | None = None


@dataclass
class Both:
    """The same routes as FastAPI serves them and as planned ones."""

    theirs: FastAPI
    ours: FastAPI

    async def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        """The answer, which is the same from both."""
        theirs, ours = [await _answer(app, method, path, given) for app in (self.theirs, self.ours)]
        assert ours.status_code == theirs.status_code
        assert ours.headers.multi_items() == theirs.headers.multi_items()
        assert ours.content == theirs.content
        return ours


async def _answer(app: FastAPI, method: str, path: str, given: dict[str, Any]) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path, **given)


def both(add: Add, **options: Any) -> Both:
    """Two apps with the same routes, whose validation errors tell everything they know."""

    def made(route_class: type[APIRoute]) -> FastAPI:
        router = APIRouter(route_class=route_class)
        add(router)
        app = FastAPI(**options)
        app.include_router(router, prefix="/in")

        @app.exception_handler(RequestValidationError)
        async def tell(_: Request, error: RequestValidationError) -> Response:
            told = {"errors": error.errors(), "body": error.body, "text": str(error)}
            return PlainTextResponse(json.dumps(told, default=repr), 422)

        return app

    return Both(made(APIRoute), made(PlannedRoute))


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the requests that were served by a plan."""
    served: list[str] = []
    answer = Plan.answer

    async def noted(self: Plan, request: Request, *given: Any) -> Response:
        served.append(request.url.path)
        return await answer(self, request, *given)

    monkeypatch.setattr(Plan, "answer", noted)
    return served


def parameters(router: APIRouter) -> None:
    @router.get("/books/{year}/{rest:path}")
    async def books(
        year: Annotated[int, Path(ge=1000)],
        rest: str,
        day: date | None = None,
        sort: str = "title",
        words: Annotated[list[str], Query()] = ["none"],  # noqa: B006 - FastAPI copies it
        client: Annotated[str, Header(alias="user-agent")] = "nobody",
        x_shelf: Annotated[int | None, Header()] = None,
        visit: Annotated[int | None, Cookie()] = None,
    ) -> dict[str, Any]:
        return locals()

    @router.get("/wrong-default")
    async def wrong(n: Annotated[int, Query(validate_default=True)] = "x") -> int:
        return n  # pragma: no cover - nothing gets here

    @router.get("/shelf")
    async def shelf(shelf: Annotated[Shelf, Query()]) -> Shelf:
        return shelf

    @router.get("/headers")
    async def headers(given: Annotated[Shelf, Header()]) -> Shelf:
        return given  # pragma: no cover - httpx always sends a header that is forbidden


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/in/books/1843/a/b", {}),
        ("/in/books/1843/a?day=1843-05-01&sort=&words=x&words=y", {"X-Shelf": "3"}),
        ("/in/books/1843/a?sort=a&sort=b", {"Cookie": "visit=2; other=x"}),
        ("/in/books/1843/a?sort=a%20b+c&words=", {"X-Shelf": "0"}),
        ("/in/books/1/a?day=monday", {"X-Shelf": "top", "Cookie": "visit=first"}),
        ("/in/shelf?room=1", {}),
        ("/in/shelf?room=1&row=2&room=3", {}),
        ("/in/shelf?row=x&colour=red&colour=blue", {}),
        ("/in/shelf", {}),
        ("/in/headers", {"room": "1"}),
        ("/in/wrong-default", {}),
    ],
)
async def test_parameters_are_read_and_refused_alike(
    path: str, headers: dict[str, str], plans: list[str]
) -> None:
    await both(parameters).ask("GET", path, headers=headers)

    assert len(plans) == 1


def bodies(router: APIRouter) -> None:
    @router.post("/one")
    async def one(book: Book) -> Book:
        return book

    @router.post("/two")
    async def two(book: Book, shelf: Shelf, note: Annotated[str, Body()] = "none") -> list[Any]:
        return [book, shelf, note]

    @router.post("/maybe")
    async def maybe(book: Book | None = None) -> Book | None:
        return book

    @router.post("/embedded")
    async def embedded(title: Annotated[str, Body(embed=True)]) -> str:
        return title

    @router.post("/below")
    async def below(book: Annotated[Book, Depends(one)], raw: Request) -> list[Any]:
        return [book, (await raw.body()).decode()]


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("path", ["one", "two", "maybe", "embedded", "below"])
@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b'{"title": "Sketch"}', JSON),
        (b'{"title": "Sketch", "year": "x"}', {"Content-Type": "application/merge-patch+json"}),
        (b'{"book": {"title": "a"}, "shelf": {"room": 1, "x": 2}, "note": 3}', JSON),
        (b'{"book": {"title": "a"}, "shelf": {"room": 1}}', JSON),
        (b"{", JSON),
        (b"[]", JSON),
        (b"null", JSON),
        (b"", JSON),
        (b'{"title": "Sketch"}', {"Content-Type": "text/plain"}),
        (b'{"title": "Sketch"}', {}),
        (b"\xff", JSON),
    ],
)
async def test_bodies_are_read_and_refused_alike(
    path: str, content: bytes, headers: dict[str, str]
) -> None:
    await both(bodies).ask("POST", f"/in/{path}", content=content, headers=headers)


async def test_a_body_without_a_content_type_is_json_where_the_app_says_so() -> None:
    apps = both(bodies, strict_content_type=False)

    answer = await apps.ask("POST", "/in/one", content=b'{"title": "Sketch"}')

    assert answer.json()["title"] == "Sketch"


async def test_a_body_that_is_too_large_is_refused_alike(plans: list[str]) -> None:
    answer = await both(bodies, max_body_size=5).ask("POST", "/in/one", content=b'{"title": 1}')

    assert answer.status_code == 413
    assert plans == []


class Calls:
    """Dependencies that say when they are called."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def add(self, router: APIRouter) -> None:
        async def base(n: int = 0) -> int:
            self.made.append(f"base {n}")
            return n

        def twice(base: Annotated[int, Depends(base)]) -> int:
            self.made.append("twice")
            return base * 2

        async def fresh(base: Annotated[int, Depends(base, use_cache=False)]) -> int:
            self.made.append("fresh")
            return base + 1

        async def guard(token: Annotated[str, Header()]) -> None:
            self.made.append(f"guard {token}")

        @router.get("/calls", dependencies=[Depends(guard)])
        async def calls(
            a: Annotated[int, Depends(base)],
            b: Annotated[int, Depends(twice)],
            c: Annotated[int, Depends(fresh)],
            d: Annotated[int, Depends(fresh)],
            e: Annotated[int, Depends(twice, use_cache=False)],
            m: str,
        ) -> list[Any]:
            return [a, b, c, d, e, m]


@pytest.mark.parametrize("query", ["?n=2&m=x", "?m=x", "?n=x", ""])
@pytest.mark.parametrize("headers", [{"token": "t"}, {}])
async def test_dependencies_are_called_as_often_and_in_the_same_order(
    query: str, headers: dict[str, str]
) -> None:
    calls = Calls()

    await both(calls.add).ask("GET", f"/in/calls{query}", headers=headers)

    half = len(calls.made) // 2
    assert calls.made[:half] == calls.made[half:]


def injected(router: APIRouter) -> None:
    async def scopes(scopes: SecurityScopes) -> str:
        return scopes.scope_str

    async def through(scopes: Annotated[str, Security(scopes, scopes=["b"])]) -> str:
        return scopes

    async def cookie(response: Response) -> None:
        response.set_cookie("seen", "1")

    class Callable:
        async def __call__(self, connection: HTTPConnection) -> str:
            return str(connection.url)

    @router.get("/injected", dependencies=[Depends(cookie)])
    async def everything(
        request: Request,
        response: Response,
        a: Annotated[str, Security(through, scopes=["a"])],
        b: Annotated[str, Security(scopes, scopes=["c"])],
        url: Annotated[str, Depends(Callable())],
    ) -> list[str]:
        response.headers["X-Shelf"] = "3"
        response.status_code = 202
        return [a, b, url, request.method]


async def test_requests_responses_and_scopes_are_handed_in_alike(plans: list[str]) -> None:
    answer = await both(injected).ask("GET", "/in/injected")

    assert answer.json()[:2] == ["a b", "c"]
    assert (answer.status_code, answer.headers["x-shelf"]) == (202, "3")
    assert "seen=1" in answer.headers["set-cookie"]
    assert len(plans) == 1


def answers(router: APIRouter) -> None:
    async def set_header(response: Response) -> None:
        response.headers["X-Set"] = "1"

    options: dict[str, Any] = {"dependencies": [Depends(set_header)]}

    @router.get("/response", **options)
    async def response() -> Response:
        return PlainTextResponse("as it is", 203)

    @router.get("/untyped", **options)
    async def untyped():  # type: ignore[no-untyped-def] # that is the point
        return {"date": date(1843, 5, 1)}

    @router.get("/shaped", response_model_exclude={"year"}, **options)
    async def shaped() -> Book:
        return Book(title="Sketch")

    @router.get("/text", response_class=PlainTextResponse, **options)
    async def text() -> str:
        return "text"

    @router.get("/nothing", status_code=204, **options)
    async def nothing() -> None:
        return None

    @router.get("/reset", status_code=200, response_model=str, **options)
    async def reset(response: Response) -> str:
        response.status_code = 205
        return "dropped"

    @router.get("/thread", response_model=Book, status_code=201, **options)
    def thread() -> dict[str, str]:
        return {"title": "in a thread"}

    @router.get("/wrong", response_model=Book)
    async def wrong() -> dict[str, str]:
        return {}


@pytest.mark.parametrize(
    "path", ["response", "untyped", "shaped", "text", "nothing", "reset", "thread", "wrong"]
)
async def test_what_an_endpoint_returns_is_answered_alike(path: str, plans: list[str]) -> None:
    await both(answers).ask("GET", f"/in/{path}")

    assert len(plans) == 1


async def test_an_answer_that_is_not_as_said_tells_where_it_is_from() -> None:
    apps = both(answers)
    texts = []
    for app in (apps.theirs, apps.ours):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            with pytest.raises(Exception, match="title") as raised:
                await client.get("/in/wrong")
        texts.append((type(raised.value), str(raised.value)))

    assert texts[0] == texts[1]
    assert "GET /in/wrong" in texts[0][1]


async def test_a_document_is_sent_byte_by_byte() -> None:
    def add(router: APIRouter) -> None:
        @router.get("/document", status_code=201)
        async def document(response: Response) -> Document[Book]:
            response.headers["Location"] = "/1"
            return Document(b'{ "title":"as it came" }')

    apps = both(add)
    ours = await _answer(apps.ours, "GET", "/in/document", {})
    theirs = await _answer(apps.theirs, "GET", "/in/document", {})

    assert ours.content == b'{ "title":"as it came" }'
    assert ours.json() == theirs.json()
    assert (ours.status_code, ours.headers["location"]) == (201, "/1")
    assert ours.headers["content-length"] == "24"
    assert ours.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "options", [{"response_model": Book}, {"response_model_exclude": {"year"}}]
)
async def test_a_document_where_none_was_promised_is_nothing_special(
    options: dict[str, Any],
) -> None:
    def add(router: APIRouter) -> None:
        @router.get("/document", **options)
        async def document() -> Document[Book]:
            return Document(b'{"title": "Sketch"}')

    await both(add).ask("GET", "/in/document")


async def generator() -> AsyncIterator[int]:
    yield 1


def unknown(router: APIRouter) -> None:
    @router.get("/generator")
    async def with_generator(one: Annotated[int, Depends(generator)]) -> int:
        return one

    @router.get("/tasks")
    async def with_tasks(tasks: BackgroundTasks) -> int:
        tasks.add_task(generator)
        return 1

    @router.get("/limited")
    async def limited(one: Annotated[int, Depends(plain, max_concurrency=1)]) -> int:
        return one

    @router.get("/stream")
    async def stream() -> AsyncIterator[Book]:
        yield Book(title="Sketch")


async def plain() -> int:
    return 1


@pytest.mark.parametrize("path", ["generator", "tasks", "limited", "stream"])
async def test_what_a_plan_does_not_know_is_left_to_fastapi(path: str, plans: list[str]) -> None:
    answer = await both(unknown).ask("GET", f"/in/{path}")

    assert answer.status_code == 200
    assert plans == []


def plainly(router: APIRouter) -> None:
    @router.get("/plain")
    async def get(one: Annotated[int, Depends(plain)]) -> int:
        return one


async def test_overridden_dependencies_overrule_the_plan(plans: list[str]) -> None:
    apps = both(plainly)
    for app in (apps.theirs, apps.ours):
        app.dependency_overrides[plain] = lambda: 2

    assert (await apps.ask("GET", "/in/plain")).json() == 2
    assert plans == []


async def test_telemetry_sees_every_request(plans: list[str]) -> None:
    apps = both(plainly)

    def watched(app: FastAPI) -> Any:
        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "fastapi.telemetry": object()}, receive, send)

        return serve

    answer = await Both(watched(apps.theirs), watched(apps.ours)).ask("GET", "/in/plain")

    assert answer.json() == 1
    assert plans == []


@pytest.mark.parametrize(
    "name", ["solve_dependencies", "run_endpoint_function", "serialize_response"]
)
async def test_a_tool_that_replaces_functions_of_fastapi_sees_every_request(
    name: str, plans: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    apps = both(plainly)
    seen = []
    real = getattr(routing, name)

    async def observed(**given: Any) -> Any:
        seen.append(name)
        return await real(**given)

    monkeypatch.setattr(routing, name, observed)

    await apps.ask("GET", "/in/plain")

    assert seen == [name, name]
    assert plans == []


async def test_a_tool_that_wraps_handlers_wraps_every_handler(
    plans: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = routing.get_request_handler

    def wrapping(**given: Any) -> Any:
        return real(**given)

    monkeypatch.setattr(routing, "get_request_handler", wrapping)

    await both(plainly).ask("GET", "/in/plain")

    assert plans == []


async def test_a_route_may_hand_in_a_request_of_its_own_class(plans: list[str]) -> None:
    class Shouting(Request):
        async def body(self) -> bytes:
            return b'{"title": "LOUD"}'

    class Wrapping(PlannedRoute):
        def get_route_handler(self) -> Any:
            handle = super().get_route_handler()

            async def shout(request: Request) -> Response:
                return await handle(Shouting(request.scope, request.receive))

            return shout

    router = APIRouter(route_class=Wrapping)
    bodies(router)
    app = FastAPI()
    app.include_router(router)

    answer = await _answer(app, "POST", "/one", {"json": {"title": "quiet"}})

    assert answer.json()["title"] == "LOUD"
    assert plans == []


async def test_routers_add_their_dependencies_and_response_class(plans: list[str]) -> None:
    def add(router: APIRouter) -> None:
        async def set_header(response: Response, shelf: int) -> None:
            response.headers["X-Shelf"] = str(shelf)

        class Pretty(JSONResponse):
            def render(self, content: Any) -> bytes:
                return json.dumps(content, indent=1).encode()

        inner = APIRouter(route_class=router.route_class)
        plainly(inner)
        router.include_router(
            inner,
            prefix="/more",
            dependencies=[Depends(set_header)],
            default_response_class=Pretty,
        )

    apps = both(add)
    answer = await apps.ask("GET", "/in/more/plain?shelf=3")
    refused = await apps.ask("GET", "/in/more/plain")

    assert answer.headers["x-shelf"] == "3"
    assert refused.status_code == 422
    assert len(plans) == 2
