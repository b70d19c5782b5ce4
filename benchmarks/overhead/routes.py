"""What FastAPI adds to a request, in CPU time, and what Kingpost's routes add instead.

    python benchmarks/overhead/routes.py [--requests 400] [--rounds 50]

Everything runs in this process and ends before a database: applications are called as a server
calls them, and what they send is dropped. Rounds of all variants take turns, so that a busy
machine is busy for all of them; the best round of each is shown.
"""

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

import structlog
import uvloop
from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.routing import APIRoute
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response as PlainResponse
from starlette.routing import Route as PlainRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kingpost.database import Database, DatabaseOptions, UnitOfWork
from kingpost.http import Route, Runtime, Work, install, needs
from kingpost.http.dispatch import Dispatch
from kingpost.http.security import PRINCIPAL_KEY
from kingpost.http.types import Id, Instant, Line, Schema
from kingpost.pagination import Cursors
from kingpost.projection import Document
from kingpost.ratelimit import RateLimiter, RateLimitMixin
from kingpost.security import NoAuthentication, Principal
from kingpost.server import State

ID = "018f3f6e-0000-7000-8000-000000000000"
BODY = json.dumps({"title": "On engines", "content": "They weave.", "author_id": ID}).encode()
HEADERS = [
    (b"host", b"127.0.0.1:8000"),
    (b"authorization", b"Bearer kp_production_018f3f6e"),
    (b"accept", b"application/json"),
]
JSON_HEADERS = [
    *HEADERS,
    (b"content-type", b"application/json"),
    (b"content-length", str(len(BODY)).encode()),
]
# As many requests end in one turn of a busy server's event loop.
REQUESTS_A_TURN = 8


class UserRead(Schema):
    id: UUID
    email: str
    name: str | None
    is_active: bool
    created_at: Instant
    updated_at: Instant


class PostCreate(Schema):
    title: Line
    content: str
    author_id: Id


class PostRead(PostCreate):
    id: UUID
    created_at: Instant
    updated_at: Instant


_USER = {
    "id": ID, "email": "ada@example.com", "name": "Ada", "is_active": True,
    "created_at": "2026-11-22T04:15:00.123456Z", "updated_at": "2026-11-22T04:15:00.123456Z",
}  # fmt: skip
USER = UserRead.model_validate(_USER)
POST = PostRead.model_validate({**json.loads(BODY), **_USER} | {"id": ID}, extra="ignore")
ANYBODY = Principal("anonymous", frozenset({"*"}))
USER_BYTES = USER.model_dump_json().encode()


@dataclass
class Variant:
    """Something to be timed."""

    name: str
    app: ASGIApp
    method: str = "GET"
    path: str = f"/api/v1/users/{ID}"
    query: bytes = b""
    best: float = float("inf")

    async def run(self, count: int) -> None:
        for number in range(count):
            await self.app(self._scope(), self._receive, _drop)
            if number % REQUESTS_A_TURN == 0:
                await asyncio.sleep(0)

    async def check(self) -> None:
        """Nothing is timed that does not work."""
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(self._scope(), self._receive, send)
        assert sent[0]["status"] in {200, 201}, (self.name, sent)
        assert b"018f3f6e" in sent[1]["body"], (self.name, sent)

    def _scope(self) -> Scope:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 50000),
            "scheme": "http",
            "root_path": "",
            "headers": HEADERS if self.method == "GET" else JSON_HEADERS,
            "state": {},
            "method": self.method,
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": self.query,
        }

    async def _receive(self) -> Message:
        return {"type": "http.request", "body": b"" if self.method == "GET" else BODY}


async def _drop(_message: Message) -> None:
    return


def starlette() -> ASGIApp:
    async def user(_: Request) -> PlainResponse:
        return PlainResponse(USER_BYTES, media_type="application/json")

    return Starlette(routes=[PlainRoute("/api/v1/users/{user_id}", user)])


async def one() -> int:
    return 1


async def two() -> int:
    return 2


async def three() -> int:
    return 3


async def generator() -> AsyncIterator[int]:
    yield 1


class Made:
    def __init__(self) -> None:
        self.made = True


def fastapi(*dependencies: Callable[..., Any]) -> ASGIApp:
    app = FastAPI(openapi_url=None)

    @app.get("/api/v1/users/{user_id}", dependencies=[Depends(made) for made in dependencies])
    async def user(user_id: UUID) -> UserRead:  # noqa: ARG001 - validated, and that is all
        return USER

    return app


class Service:
    def __init__(self, work: UnitOfWork) -> None:
        self.work = work


async def service(work: Work) -> Service:
    return Service(work)


Services = Annotated[Service, Depends(service)]
MayRead = Annotated[Principal, needs("users:read")]
MayWrite = Annotated[Principal, needs("posts:write")]


def routers(route_class: Any) -> APIRouter:
    """The routes that are measured, included as deep as a service includes them."""
    users = APIRouter(prefix="/users", route_class=route_class)
    posts = APIRouter(prefix="/posts", route_class=route_class)

    @users.get("/by-email/{email:path}")
    async def get_user_by_email(email: str, _: MayRead) -> UserRead:  # noqa: ARG001 - as above
        return USER

    @users.get("/{user_id}")
    async def get_user(
        user_id: Id, services: Services, _: MayRead, include: Literal["posts"] | None = None
    ) -> UserRead:
        assert services
        assert user_id
        assert include is None
        return USER

    @users.get("/{user_id}/document")
    async def get_document(user_id: Id, services: Services, _: MayRead) -> Document[UserRead]:
        assert services
        assert user_id
        return Document(USER_BYTES)

    @posts.post("", status_code=201)
    async def create_post(
        new: PostCreate, services: Services, response: Response, _: MayWrite
    ) -> PostRead:
        assert services
        assert new
        response.headers["Location"] = f"/api/v1/posts/{ID}"
        return POST

    router = APIRouter(prefix="/api/v1")
    router.include_router(users)
    router.include_router(posts)
    return router


class Base(DeclarativeBase):
    """The models of this benchmark."""


class RateLimit(RateLimitMixin, Base):
    __tablename__ = "rate_limits"


class EndlessLease(RateLimiter):
    """Has got a lease that never ends: what a request costs for which no statement is sent."""

    async def _ask(self, principal: str) -> tuple[int, int, float]:
        assert principal
        return 10**12, 0, 1e9


def kingpost(route_class: Any = Route, *, is_limited: bool = False) -> FastAPI:
    """An application as a service makes it, with routes of this class."""
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.include_router(routers(route_class))
    database = Database(DatabaseOptions(url="postgresql+asyncpg:///x"), metadata=MetaData())
    limiter = EndlessLease(database, RateLimit, limit=10**9, window=60)
    runtime = Runtime(
        database=database,
        authenticator=NoAuthentication(),
        cursors=Cursors(b"x" * 32),
        max_body_bytes=1024,
        limiter=limiter if is_limited else None,
        state=State(),
    )
    install(app, runtime, request_timeout=30, docs=False, operations=False, development=False)
    return app


def in_fastapi(app: FastAPI) -> ASGIApp:
    """The routes of an app in FastAPI's own stack, without what Kingpost puts around."""
    bare = FastAPI(openapi_url=None, redirect_slashes=False)
    bare.router.routes = app.router.routes
    bare.exception_handlers = app.exception_handlers
    bare.state = app.state
    return _as_somebody(bare)


def dispatched(app: FastAPI) -> ASGIApp:
    """The routes of an app behind the table that finds them, and nothing else."""
    dispatch = Dispatch(app.router, app)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = app
        await dispatch(scope, receive, send)

    return serve


def _as_somebody(app: ASGIApp) -> ASGIApp:
    """FastAPI's route does not authenticate; here somebody has been."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        scope[PRINCIPAL_KEY] = ANYBODY
        await app(scope, receive, send)

    return serve


def variants() -> list[Variant]:
    theirs, ours, limited = kingpost(APIRoute), kingpost(), kingpost(is_limited=True)
    document = {"path": f"/api/v1/users/{ID}/document"}
    post = {"method": "POST", "path": "/api/v1/posts"}
    return [
        Variant("Starlette, bytes", starlette()),
        Variant("FastAPI", fastapi()),
        Variant("FastAPI, 1 dependency", fastapi(one)),
        Variant("FastAPI, 3 dependencies", fastapi(one, two, three)),
        Variant("FastAPI, a generator", fastapi(generator)),
        Variant("FastAPI, a class", fastapi(Made)),
        Variant("GET, FastAPI's route", in_fastapi(theirs)),
        Variant("GET, planned", in_fastapi(ours)),
        Variant("GET, planned, dispatched", dispatched(ours)),
        Variant("GET, whole application", ours),
        Variant("GET a document, dispatched", dispatched(ours), **document),
        Variant("GET a document, whole", ours, **document),
        Variant("and a rate limit", limited, **document),
        Variant("POST, FastAPI's route", in_fastapi(theirs), **post),
        Variant("POST, planned", in_fastapi(ours), **post),
        Variant("POST, planned, dispatched", dispatched(ours), **post),
        Variant("POST, whole application", ours, **post),
    ]


async def measure(all_of_them: list[Variant], requests: int, rounds: int) -> None:
    for variant in all_of_them:
        await variant.check()
        await variant.run(requests // 10)
    for _ in range(rounds):
        for variant in all_of_them:
            began = time.process_time()
            await variant.run(requests)
            taken = (time.process_time() - began) / requests * 1e6
            variant.best = min(variant.best, taken)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--requests", type=int, default=400)
    arguments.add_argument("--rounds", type=int, default=50)
    given = arguments.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    found = variants()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(found, given.requests, given.rounds))
    first = found[0].best
    for variant in found:
        print(f"{variant.name:30}{variant.best:9.1f} µs{variant.best / first:8.1f} ×")


if __name__ == "__main__":
    main()
