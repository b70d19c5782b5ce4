"""What every route of the API has, whoever adds it."""

import ast
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from tests.architecture.source import sources

from kingpost.http.idempotent import idempotent_mark
from kingpost.http.preconditions import if_match
from kingpost.http.security import needs, walk
from kingpost.project import Project
from kingpost.security import Principal

# A client reaches these without a key; whoever adds one says here why.
PUBLIC: frozenset[str] = frozenset()
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def service(project: Project, service_environ: dict[str, str]) -> FastAPI:
    """The service without a database: routes are looked at, not called."""
    from kingpost.testing.service import settings_for

    url = "postgresql+asyncpg://nobody@localhost/none"
    return project.create_app(settings_for(project, service_environ, url))


def routes(app: FastAPI) -> list[APIRoute]:
    found = (context.original_route for context in iter_route_contexts(app.routes))
    return [route for route in found if isinstance(route, APIRoute) and route.include_in_schema]


def operations(app: FastAPI) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in app.openapi()["paths"].items():
        for method in METHODS & set(item):
            yield f"{method.upper()} {path}", item[method]


def objections(name: str, operation: dict[str, Any]) -> list[str]:
    responses = operation["responses"]
    good = {status: answer for status, answer in responses.items() if status.startswith("2")}
    found = []
    if not good or any(not has_schema(answer) for s, answer in good.items() if s != "204"):
        found.append(f"{name}: annotate what it returns, or answer 204")
    if not any(operation.get("security", [])) and name not in PUBLIC:
        found.append(f"{name}: say which scope it needs, or list it as public")
    others = [answer for s, answer in responses.items() if s not in good and s != "304"]
    if not all(map(is_problem, others)):
        found.append(f"{name}: declare failures with problem_responses(...)")
    missing = expected_failures(name, operation) - set(responses)
    if missing:
        found.append(f"{name}: can answer {sorted(missing)} and does not say so")
    return found


def has_schema(answer: dict[str, Any]) -> bool:
    return bool(answer.get("content", {}).get("application/json", {}).get("schema"))


def is_problem(answer: dict[str, Any]) -> bool:
    return set(answer.get("content", {})) == {"application/problem+json"}


def expected_failures(name: str, operation: dict[str, Any]) -> set[str]:
    expected = {"400", "422", "503"}
    if operation.get("security"):
        expected |= {"401", "403", "429"}
    if operation.get("requestBody"):
        expected |= {"408", "413", "415"}
    if "{" in name:
        expected.add("404")
    return expected


def generators(route: APIRoute) -> list[str]:
    """Dependencies with code after `yield`: it runs when the client has its answer already."""
    return [
        f"{route.path}: {dependant.call}; open what it yields in the service"
        for dependant in walk(route.dependant)
        if inspect.isgeneratorfunction(dependant.call) or inspect.isasyncgenfunction(dependant.call)
    ]


def test_every_operation_tells_its_answers_and_its_scope(service: FastAPI) -> None:
    found = [line for name, op in operations(service) for line in objections(name, op)]

    assert list(operations(service))
    assert not found, "\n".join(found)


def test_no_dependency_outlives_the_answer(service: FastAPI) -> None:
    found = [line for route in routes(service) for line in generators(route)]

    assert routes(service)
    assert not found, "\n".join(found)


def test_the_document_has_every_operation_that_is_written(service: FastAPI) -> None:
    written = [
        node
        for file in sources()
        if file.path.startswith("app/api/v1/routes/")
        for node in ast.walk(file.tree)
        if isinstance(node, ast.AsyncFunctionDef)
        for decorator in node.decorator_list
        if ast.unparse(decorator).startswith(tuple(f"router.{method}(" for method in METHODS))
    ]

    assert len(list(operations(service))) == len(written)


def test_every_operation_has_its_own_id(service: FastAPI) -> None:
    ids = [operation["operationId"] for _, operation in operations(service)]

    assert len(ids) == len(set(ids))


def test_every_route_is_asynchronous(service: FastAPI) -> None:
    """A plain function would run in a thread, where a session of this loop is of no use."""
    plain = [r.path for r in routes(service) if not inspect.iscoroutinefunction(r.endpoint)]

    assert not plain


async def session() -> AsyncIterator[None]:
    yield


async def through_another(_: Annotated[None, Depends(session)]) -> None: ...


@pytest.mark.parametrize("dependency", [session, through_another])
def test_a_generator_dependency_is_seen(dependency: Any) -> None:
    app = FastAPI()

    @app.get("/example")
    async def example(_: Annotated[None, Depends(dependency)]) -> int:
        return 1

    assert generators(next(r for r in routes(app) if r.path == "/example"))


@pytest.mark.parametrize("fault", ["return", "scope", "problem", "404"])
def test_an_incomplete_operation_is_seen(fault: str) -> None:
    router = APIRouter()
    bad = {"content": {"application/problem+json": {}}, "description": ""}
    statuses: list[int | str] = [400, 401, 403, 404, 422, 429, 503]
    responses: dict[int | str, dict[str, Any]] = dict.fromkeys(statuses, bad)
    if fault == "404":
        responses.pop(404)
    if fault == "problem":
        responses[404] = {"description": "not a problem document"}

    @router.get("/example/{item}", responses=responses)
    async def example(item: int, _: Annotated[Principal, needs("a:read")]) -> int:
        return item

    ((name, operation),) = operations(app_with(router))
    if fault == "scope":
        operation.pop("security")
    if fault == "return":
        operation["responses"]["200"].pop("content")

    assert len(objections(name, operation)) == 1


def app_with(router: APIRouter) -> FastAPI:
    app = FastAPI()
    app.include_router(router)
    return app


def unconditional(app: FastAPI) -> list[str]:
    """Changes that do not ask which state of the thing the client knows."""
    return [
        f"{method} {route.path}: take match: IfMatch, and check it on the locked row"
        for route in routes(app)
        for method in sorted({"PATCH", "DELETE"} & set(route.methods or ()))
        if not any(node.call is if_match for node in walk(route.dependant))
    ]


def test_every_patch_and_delete_needs_if_match(service: FastAPI) -> None:
    assert not unconditional(service)


def test_a_delete_without_if_match_is_noticed() -> None:
    app, router = FastAPI(), APIRouter()
    router.add_api_route("/x/{n}", lambda n: n, methods=["DELETE"])
    app.include_router(router)

    assert len(unconditional(app)) == 1


def test_the_api_reference_shows_if_match_as_needed(service: FastAPI) -> None:
    changes = [
        operation for name, operation in operations(service) if name.startswith(("PATCH", "DELETE"))
    ]

    assert changes
    for operation in changes:
        [header] = [one for one in operation["parameters"] if one["name"] == "If-Match"]
        assert header["required"]
        assert {"412", "428"} <= set(operation["responses"])


def test_every_post_honours_an_idempotency_key(service: FastAPI) -> None:
    contexts = list(iter_route_contexts(service.routes))
    posts = [context for context in contexts if "POST" in (context.methods or ())]
    without = [c.path for c in posts if idempotent_mark(c.dependant) is None]

    assert posts
    assert not without


def test_the_document_shows_the_idempotency_key_of_every_post(service: FastAPI) -> None:
    for name, operation in operations(service):
        headers = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "header"}
        assert ("Idempotency-Key" in headers) == name.startswith("POST "), name
        if "Idempotency-Key" in headers:
            assert {"400", "409", "422"} <= set(operation["responses"])


def test_the_server_knows_which_requests_read_a_list(service: FastAPI) -> None:
    """Under load they are refused first."""
    lists = {
        name
        for name, operation in operations(service)
        if "schemas/PageRead_" in str(operation["responses"].get("200", {}).get("content"))
    }
    known = {
        f"{method} {path}"
        for method, path in (name.split() for name, _ in operations(service))
        if service.state.kingpost.state.is_list({"method": method, "path": path})
    }

    assert "GET /api/v1/posts" in lists
    assert known == lists
    assert service.state.kingpost.state.is_list({"method": "HEAD", "path": "/api/v1/posts/"})
