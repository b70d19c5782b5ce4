"""Serves a request from the table of routes, without what FastAPI puts around a route.

FastAPI asks one route after the other, through every router it is included by, and has an exit
stack for files, one for each kind of generator, and two layers that handle exceptions. A planned
route needs none of these but the handlers, which are asked here when something fails.
"""

from collections.abc import Awaitable
from typing import Any

from fastapi import FastAPI
from starlette._exception_handler import wrap_app_handling_exceptions
from starlette._utils import get_route_path
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from kingpost.context import current_request
from kingpost.http.table import Entry, Table, tables_of

_REST = "kingpost.rest_of_answer"


class Dispatch:
    """ASGI middleware that serves planned routes itself and hands everything else on.

    It belongs behind all other middleware. Whatever a route raises is answered by the handlers of
    the app; what these do not answer is raised. Routes that are added later, and requests that
    overrule a plan, are served by FastAPI.

    Args:
        app: what comes behind it.
        service: whose routes and handlers these are.
    """

    def __init__(self, app: ASGIApp, service: FastAPI) -> None:
        self._app = app
        self._service = service
        self._router = service.router
        self._routes = -1
        self._tables: dict[str, Table] = {}
        handlers = {
            kind: handler
            for kind, handler in service.exception_handlers.items()
            if kind not in (500, Exception)  # these belong to the outermost layer
        }
        self._with_handlers = ExceptionMiddleware(_handled, handlers, service.debug)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serves one request (ASGI 3)."""
        if scope["type"] == "http":
            if len(self._router.routes) != self._routes:
                self._look_at_the_routes()
            table = self._tables.get(scope["method"])
            found = table.find(get_route_path(scope)) if table is not None else None
            if found is not None and not found[0].plan.is_overruled(scope):
                return self._serve(*found, scope, receive, send)
        return self._app(scope, receive, send)

    def _look_at_the_routes(self) -> None:
        self._tables = tables_of(self._router)
        self._routes = len(self._router.routes)

    async def _serve(
        self, entry: Entry, params: dict[str, Any], scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._enter(entry, params, scope)
        request = Request(scope, receive, send)
        try:
            answer: ASGIApp = await entry.handle(request)
        except Exception as error:  # noqa: BLE001 - the handlers of the app are asked, as everywhere
            answer = _Raise(error)
        if type(answer) is Response:
            await answer(scope, receive, send)
        else:
            scope[_REST] = request, answer
            await self._with_handlers(scope, receive, send)

    def _enter(self, entry: Entry, params: dict[str, Any], scope: Scope) -> None:
        context = current_request.get()
        if context is not None:
            context.route = entry.template
        scope.setdefault("router", self._router)
        scope.update(entry.scope)
        outer = scope.get("path_params")  # of the path at which this app is mounted
        scope["path_params"] = {**outer, **params} if outer else params


class _Raise:
    """An application that fails as a route has failed."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def __call__(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        raise self._error


async def _handled(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends an answer that may fail, where the handlers see the request that the route saw."""
    request, answer = scope.pop(_REST)
    await wrap_app_handling_exceptions(answer, request)(scope, receive, send)
