"""What a request costs, in counts that no busy machine can change.

One warm request at a time goes through the whole service as it is in production, in this process,
to a real PostgreSQL.
Counted are the Python functions that are entered (a coroutine that is woken counts again), those
of the event loop left out; the SQL statements; and the round trips on the way to the database.

A change that makes a count higher than its ceiling in `COSTS` fails here. When it is meant, or
when a count has become lower, write the new number there, and the reason into the commit.
The counts were made with Python 3.11 and the versions of `requirements.lock`.
"""

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import pytest
from tests.kingpost.proxy import Proxy, proxied

from kingpost.testing.lifespan import running
from kingpost.testing.service import make_key, settings_for

WARM, COUNTED = 12, 5
LEFT_OUT = ("/asyncio/", "/tests/", "/selectors.py", "/weakref.py", "/_weakrefset.py")


@dataclass(frozen=True)
class Cost:
    """Ceilings of one kind of request."""

    asyncpg: int
    psycopg: int
    statements: int
    round_trips: int


COSTS = {
    "a user": Cost(asyncpg=188, psycopg=221, statements=1, round_trips=1),
    "a page of posts": Cost(asyncpg=232, psycopg=259, statements=1, round_trips=1),
    "a new post": Cost(asyncpg=280, psycopg=310, statements=1, round_trips=1),
}
A_RATE_LIMIT = 1
WITH_LIMIT = {"APP_RATE_LIMIT": "1000000"}


class Service:
    """The application as a server would call it."""

    def __init__(self, app: Any, key: str) -> None:
        self.app = app
        self.headers = [
            (b"host", b"test"),
            (b"authorization", f"Bearer {key}".encode()),
            (b"content-type", b"application/json"),
        ]

    async def ask(self, method: str, path: str, document: Any = None) -> Any:
        body = b"" if document is None else json.dumps(document).encode()
        length = (b"content-length", str(len(body)).encode())
        path, _, query = path.partition("?")
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": ("test", 80),
            "client": ("127.0.0.1", 50000),
            "scheme": "http",
            "root_path": "",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [*self.headers, length] if body else self.headers,
            "state": {},
        }
        await self.app(scope, receive, send)
        assert sent[0]["status"] in (200, 201), sent
        return json.loads(b"".join(message.get("body", b"") for message in sent[1:]))


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[Proxy]:
    async with proxied(database_url) as running_proxy:
        yield running_proxy


@pytest.fixture
async def service(
    request: pytest.FixtureRequest, project, service_environ, proxy: Proxy
) -> AsyncIterator[Service]:
    in_production = {"APP_ENVIRONMENT": "production", "APP_LOG_LEVEL": "info"}
    environ = {**service_environ, **in_production, **getattr(request, "param", {})}
    app = project.create_app(settings_for(project, environ, proxy.url))
    async with running(app):
        key = await make_key(app)
        assert key is not None
        yield Service(app, key)


@pytest.fixture
async def requests(service: Service) -> dict[str, Callable[[], Awaitable[Any]]]:
    """By name, what sends one request of a kind."""
    user = await service.ask("POST", "/api/v1/users", {"email": "ada@example.org"})
    post = {"title": "On engines", "content": "They weave.", "author_id": user["id"]}
    for _ in range(20):
        await service.ask("POST", "/api/v1/posts", post)
    return {
        "a user": lambda: service.ask("GET", f"/api/v1/users/{user['id']}"),
        "a page of posts": lambda: service.ask("GET", "/api/v1/posts?limit=20"),
        "a new post": lambda: service.ask("POST", "/api/v1/posts", post),
    }


async def calls(request: Callable[[], Awaitable[Any]]) -> int:
    """How many Python functions one request enters."""
    entered = 0

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal entered
        if event == "call" and not any(part in frame.f_code.co_filename for part in LEFT_OUT):
            entered += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        await request()
    finally:
        sys.setprofile(before)
    return entered


@pytest.mark.parametrize("kind", COSTS)
async def test_a_request_costs_no_more_than_it_did(requests, kind, driver, proxy, statements):
    request, ceiling = requests[kind], COSTS[kind]
    for _ in range(WARM):
        await request()

    with statements(ceiling.statements):
        await request()
    proxy.round_trips.clear()
    await request()
    assert len(proxy.round_trips) == ceiling.round_trips, proxy.round_trips

    entered = min([await calls(request) for _ in range(COUNTED)])
    allowed = getattr(ceiling, driver)
    assert entered <= allowed, (
        f"{kind}: {entered} functions are entered with {driver}, {allowed} is the ceiling; "
        f"write {entered} into COSTS of {__name__} if that is what the change is worth"
    )


@pytest.mark.parametrize("service", [WITH_LIMIT], indirect=True)
async def test_a_rate_limit_costs_a_function_and_no_statement(requests, driver, proxy, statements):
    request, ceiling = requests["a user"], COSTS["a user"]
    for _ in range(WARM):
        await request()

    with statements(ceiling.statements):
        await request()
    proxy.round_trips.clear()
    await request()
    assert len(proxy.round_trips) == ceiling.round_trips, proxy.round_trips

    entered = min([await calls(request) for _ in range(COUNTED)])
    assert entered <= getattr(ceiling, driver) + A_RATE_LIMIT
