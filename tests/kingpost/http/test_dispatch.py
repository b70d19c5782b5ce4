"""A request reaches the route that FastAPI would choose, and fails as it would there."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Host, Match, Route, Router
from starlette.types import Receive, Scope, Send

from kingpost.context import RequestContext, current_request
from kingpost.http.dispatch import Dispatch
from kingpost.http.planned import PlannedRoute

Fill = Callable[[FastAPI, APIRouter], None]
Ask = Callable[..., Any]


class Served:
    """An app with `Dispatch`, and one without it: both must answer alike."""

    def __init__(self, fill: Fill, **options: Any) -> None:
        self.apps = [self._made(fill, options, flat=flat) for flat in (False, True)]
        self.dispatched: list[str] = []

    def _made(self, fill: Fill, options: dict[str, Any], *, flat: bool) -> FastAPI:
        app = FastAPI(**options)
        app.router.route_class = PlannedRoute
        router = APIRouter(route_class=PlannedRoute)
        fill(app, router)
        app.include_router(router)
        if flat:
            app.user_middleware.append(Middleware(Dispatch, service=app))
        return app

    async def ask(self, path: str, method: str = "GET", **given: Any) -> httpx.Response:
        answers = []
        for app in self.apps:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                answers.append(await client.request(method, path, **given))
        theirs, ours = answers
        assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
        assert ours.headers.multi_items() == theirs.headers.multi_items()
        return ours


@pytest.fixture
def dispatched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the requests that were served without FastAPI's router."""
    served: list[str] = []
    serve = Dispatch._serve

    async def noted(self: Dispatch, entry: Any, params: Any, scope: Scope, *rest: Any) -> None:
        served.append(scope["path"])
        await serve(self, entry, params, scope, *rest)

    monkeypatch.setattr(Dispatch, "_serve", noted)
    return served


def named(router: APIRouter, *paths: str, methods: tuple[str, ...] = ("GET",)) -> None:
    """A route for each path, which answers with its template and its parameters."""
    for path in paths:

        async def endpoint(request: Request) -> list[Any]:
            return [request.scope["route"].path, repr(request.path_params)]

        router.add_api_route(path, endpoint, methods=[*methods])


def several(_: FastAPI, router: APIRouter) -> None:
    named(router, "/fixed", "/a/{name}", "/a/fixed", "/b/fixed", "/b/{name}")
    named(router, "/a/{name}", methods=("POST", "PUT"))
    named(router, "/n/{n:int}/{name}", "/p/{path:path}", "/u/{u:uuid}", "/p/behind", "/dot.ted")


@pytest.mark.parametrize(
    "path",
    [
        *("/fixed", "/a/x", "/a/fixed", "/b/fixed", "/b/x", "/n/12/x", "/p/x/y", "/p/", "/dot.ted"),
        "/u/0199f3f0-7b1c-7000-8000-000000000001",
        "/p/behind",
    ],
)
async def test_the_route_that_was_registered_first_serves(path: str, dispatched: list[str]) -> None:
    answer = await Served(several).ask(path)

    assert answer.status_code == 200
    assert len(dispatched) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *(("POST", "/fixed", 405), ("HEAD", "/fixed", 405), ("DELETE", "/a/x", 405)),
        *(("GET", "/nothing", 404), ("GET", "/a/x/y", 404), ("GET", "/n/x/y", 404)),
        *(("GET", "/dotXted", 404), ("GET", "/fixed/", 307), ("GET", "/b/x%0A", 200)),
    ],
)
async def test_what_no_route_serves_is_left_to_fastapi(
    method: str, path: str, status: int, dispatched: list[str]
) -> None:
    answer = await Served(several).ask(path, method)

    assert answer.status_code == status
    assert len(dispatched) == (status == 200)


class Upper(Convertor[str]):
    regex = "[A-Z]+"

    def convert(self, value: str) -> str:
        return value.lower()

    def to_string(self, value: str) -> str:
        return value.upper()


class Hidden(Route):
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        found = super().matches(scope)
        return found if scope["query_string"] == b"secret" else (Match.NONE, {})


async def plain(_: Request) -> Response:
    return PlainTextResponse("plain")


def custom_convertor(_: FastAPI, router: APIRouter) -> None:
    register_url_convertor("upper", Upper())
    named(router, "/{name:upper}")


def mounted(app: FastAPI, router: APIRouter) -> None:
    app.mount("/m", PlainTextResponse("mounted"))
    named(router, "/m/x")


def starlette_route(app: FastAPI, router: APIRouter) -> None:
    app.add_route("/{name}", plain)
    named(router, "/x")


def own_matching(app: FastAPI, router: APIRouter) -> None:
    app.routes.append(Hidden("/x", plain))
    named(router, "/x")


class Picky(APIRouter):
    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        found = super().matches(scope)
        return found if scope["query_string"] == b"secret" else (Match.NONE, {})


def own_router(app: FastAPI, _: APIRouter) -> None:
    picky, middle = Picky(route_class=PlannedRoute), APIRouter()
    named(picky, "/x")
    middle.include_router(picky)
    app.include_router(middle)
    app.add_route("/x", plain)


def own_app(app: FastAPI, _: APIRouter) -> None:
    async def closed(_scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("closed")(_scope, receive, send)

    named(app.router, "/x")
    app.router.middleware_stack = closed


def host(app: FastAPI, router: APIRouter) -> None:
    app.routes.append(Host("test", Router([Route("/x", plain)])))
    named(router, "/x")


@pytest.mark.parametrize(
    ("fill", "path", "text"),
    [
        (custom_convertor, "/ABC", "abc"),
        (mounted, "/m/x", "mounted"),
        (starlette_route, "/x", "plain"),
        (own_matching, "/x?secret", "plain"),
        (own_matching, "/x", "/x"),
        (host, "/x", "plain"),
        (own_router, "/x", "plain"),
        (own_router, "/x?secret", "/x"),
        (own_app, "/x", "closed"),
    ],
)
async def test_routes_of_another_kind_keep_their_place(
    fill: Fill, path: str, text: str, dispatched: list[str]
) -> None:
    answer = await Served(fill).ask(path)

    assert text in answer.text
    assert dispatched == []


async def test_routes_before_one_of_another_kind_are_served(dispatched: list[str]) -> None:
    def fill(app: FastAPI, router: APIRouter) -> None:
        named(app.router, "/x")
        own_matching(app, router)

    await Served(fill).ask("/x?secret")

    assert dispatched == ["/x"]


async def test_a_websocket_beside_it_hides_no_route(dispatched: list[str]) -> None:
    def fill(_: FastAPI, router: APIRouter) -> None:
        router.add_api_websocket_route("/x", plain)
        named(router, "/x")

    await Served(fill).ask("/x")

    assert dispatched == ["/x"]


class Teapot(Exception):
    pass


def failing(app: FastAPI, router: APIRouter) -> None:
    async def teapot(request: Request, _: Exception) -> Response:
        read = await request.body()  # was read by the route, which has the same request
        return PlainTextResponse(f"{request.path_params} {read!r}", 418)

    def conflict(_: Request, __: Exception) -> Response:
        return PlainTextResponse("in a thread", 409)

    app.add_exception_handler(Teapot, teapot)
    app.add_exception_handler(409, conflict)

    @router.post("/fail/{how}")
    async def fail(how: str, request: Request) -> None:
        await request.body()
        if how == "teapot":
            raise Teapot
        raise HTTPException(int(how), headers={"X-How": how})

    @router.get("/invalid")
    async def invalid(n: int) -> int:
        return n


@pytest.mark.parametrize(
    ("path", "status"),
    [("/fail/teapot", 418), ("/fail/409", 409), ("/fail/410", 410), ("/fail/304", 304)],
)
async def test_the_handlers_of_the_app_answer_failures(
    path: str, status: int, dispatched: list[str]
) -> None:
    answer = await Served(failing).ask(path, "POST", content=b"body")

    assert answer.status_code == status
    assert len(dispatched) == 1


async def test_what_is_not_valid_is_answered_as_everywhere(dispatched: list[str]) -> None:
    answer = await Served(failing).ask("/invalid?n=x")

    assert answer.status_code == 422
    assert len(dispatched) == 1


async def test_a_failure_without_a_handler_is_raised_as_it_is() -> None:
    def fill(_: FastAPI, router: APIRouter) -> None:
        @router.get("/x")
        async def fail() -> None:
            raise Teapot("short and stout")

    app = Served(fill).apps[1]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://test"
    ) as client:
        with pytest.raises(Teapot, match="stout"):
            await client.get("/x")


async def test_a_stream_that_fails_is_cut_as_everywhere() -> None:
    def fill(app: FastAPI, router: APIRouter) -> None:
        failing(app, router)

        async def pieces() -> AsyncIterator[bytes]:
            yield b"first"
            raise Teapot

        @router.get("/stream")
        async def stream() -> StreamingResponse:
            return StreamingResponse(pieces())

    for app in Served(fill).apps:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://test"
        ) as client:
            with pytest.raises(RuntimeError, match="already started"):
                await client.get("/stream")


async def test_routes_that_come_later_are_served_too(dispatched: list[str]) -> None:
    served = Served(several)
    await served.ask("/fixed")
    for app in served.apps:
        included: Any = app.routes[-1]
        named(included.original_router, "/later")
    later = await served.ask("/later")
    for app in served.apps:
        app.router.routes.insert(0, Route("/fixed", plain))
    fixed = await served.ask("/fixed")

    assert "later" in later.text
    assert fixed.text == "plain"
    assert dispatched == ["/fixed"]


async def test_overridden_dependencies_overrule_it(dispatched: list[str]) -> None:
    async def one() -> int:
        return 1

    def fill(app: FastAPI, router: APIRouter) -> None:
        @router.get("/x")
        async def get(n: int = Depends(one)) -> int:
            return n

        app.dependency_overrides[one] = lambda: 2

    assert (await Served(fill).ask("/x")).json() == 2
    assert dispatched == []


async def test_a_limit_for_the_body_of_one_route_is_kept(dispatched: list[str]) -> None:
    def fill(_: FastAPI, router: APIRouter) -> None:
        @router.post("/x", max_body_size=3)
        async def post(request: Request) -> int:
            return len(await request.body())

    answer = await Served(fill).ask("/x", "POST", content=b"too long")

    assert answer.status_code == 413
    assert dispatched == []


async def test_a_class_with_a_handler_of_its_own_is_called(dispatched: list[str]) -> None:
    class Own(PlannedRoute):
        def get_route_handler(self) -> Any:
            handle = super().get_route_handler()

            async def own(request: Request) -> Response:
                response = await handle(request)
                response.headers["X-Own"] = "1"
                return response

            return own

    def fill(_: FastAPI, router: APIRouter) -> None:
        router.route_class = Own
        named(router, "/x")

    assert (await Served(fill).ask("/x")).headers["x-own"] == "1"
    assert dispatched == []


async def test_an_app_below_another_one_has_the_parameters_of_both(
    dispatched: list[str],
) -> None:
    below = Served(several)
    for position, app in enumerate(below.apps):
        above = FastAPI()
        above.mount("/of/{tenant}", app)
        below.apps[position] = above

    answer = await below.ask("/of/us/a/x")

    assert answer.json()[1] == "{'tenant': 'us', 'name': 'x'}"
    assert dispatched == ["/of/us/a/x"]


async def test_requests_know_their_route_and_the_urls_of_others() -> None:
    def fill(_: FastAPI, router: APIRouter) -> None:
        inner = APIRouter(route_class=PlannedRoute)

        @inner.get("/x/{n}")
        async def get(request: Request, n: int) -> list[str]:
            return [
                str(request.url_for("get", n=n + 1)),
                request.scope["endpoint"].__name__,
                request.scope["fastapi"]["effective_route_context"].path_format,
            ]

        router.include_router(inner, prefix="/deep")

    answer = await Served(fill).ask("/deep/x/1")

    assert answer.json() == ["http://test/deep/x/2", "get", "/deep/x/{n}"]


async def test_the_log_is_told_the_template() -> None:
    context = RequestContext("1")
    current_request.set(context)

    await Served(several).ask("/n/12/x")

    assert context.route == "/n/{n}/{name}"


async def test_what_is_no_request_is_handed_on() -> None:
    seen = []

    async def behind(scope: Scope, _: Receive, __: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Any:
        raise AssertionError

    await Dispatch(behind, FastAPI())({"type": "websocket", "path": "/x"}, nothing, nothing)

    assert seen == ["websocket"]
