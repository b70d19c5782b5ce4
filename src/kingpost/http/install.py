"""Puts the HTTP side of Kingpost onto a FastAPI app."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi._body_limit import AppBodyLimitMiddleware
from fastapi.telemetry._asgi import ExceptionTelemetryMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp

from kingpost.database import Database
from kingpost.http.dispatch import Dispatch
from kingpost.http.docs import install_docs
from kingpost.http.handlers import install_handlers
from kingpost.http.keyed_routes import check_keyed_routes
from kingpost.http.lists import Lists
from kingpost.http.methods import AllowedMethods, Options
from kingpost.http.openapi import tell_the_truth
from kingpost.http.problem_pages import install_problem_pages
from kingpost.http.runtime import Runtime
from kingpost.middleware import Deadline, Methods, Observe
from kingpost.server import OperationsRoutes

_FOR_FAILURES = (ServerErrorMiddleware, ExceptionTelemetryMiddleware, AppBodyLimitMiddleware)


def install(
    app: FastAPI,
    runtime: Runtime,
    *,
    request_timeout: float,
    docs: bool,
    operations: bool,
    development: bool,
) -> None:
    """Adds problems, middleware, the API reference and the operations paths.

    Call it when all routers are included: it looks at the routes. The database is closed when
    the app ends, after the app's own lifespan.

    Args:
        app: made with `openapi_url=None`, `docs_url=None`, `redirect_slashes=False`.
        runtime: becomes `app.state.kingpost`.
        request_timeout: the deadline of a request, in seconds.
        docs: serve /docs and /openapi.json.
        operations: serve /livez, /readyz and /metrics beside the API, not on their own port.
        development: log full tracebacks.

    Raises:
        SessionMisuse: a route is `idempotent()`, and `runtime` has no `Idempotency`.
    """
    check_keyed_routes(app.routes, runtime)
    app.state.kingpost = runtime
    _close_at_the_end(app, runtime.database)
    install_problem_pages(app)
    if docs:
        install_docs(app)
    methods = AllowedMethods(app.routes)
    install_handlers(app, methods)
    tell_the_truth(
        app, is_limited=runtime.limiter is not None, is_key_required=runtime.is_key_required
    )
    runtime.state.is_list = Lists(app.routes)
    # The last one added is the outermost.
    app.add_middleware(Dispatch, service=app)
    app.add_middleware(Options, methods=methods)
    app.add_middleware(Methods)
    app.add_middleware(Deadline, seconds=request_timeout)
    if operations:
        app.add_middleware(OperationsRoutes, state=runtime.state)
    app.add_middleware(Observe, metrics=runtime.state.metrics, development=development)
    _begin_with_observe(app)


def _begin_with_observe(app: FastAPI) -> None:
    """Leaves out what FastAPI puts around all middleware to answer failures: none get there.

    A limit for bodies, and middleware that was added after `Observe`, stay where they are.
    """
    build: Callable[[], ASGIApp] = app.build_middleware_stack

    def build_middleware_stack() -> ASGIApp:
        whole = stack = build()
        while isinstance(stack, _FOR_FAILURES):
            stack = stack.app
        return stack if isinstance(stack, Observe) else whole

    app.build_middleware_stack = build_middleware_stack  # type: ignore[method-assign] # Starlette calls it once


def _close_at_the_end(app: FastAPI, database: Database) -> None:
    own = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(started: FastAPI) -> AsyncIterator[Any]:
        try:
            async with own(started) as state:
                yield state
        finally:
            await database.close()

    app.router.lifespan_context = lifespan
