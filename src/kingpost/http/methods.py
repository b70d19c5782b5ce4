"""OPTIONS for every path, and a complete `Allow` on 405 (RFC 9110 sections 9.3.7 and 15.5.6).

Starlette sees one route at a time, so its 405 names only the methods of the first route that
has the path. The table made here knows all of them.
"""

from collections.abc import Awaitable
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.requests import Request
from starlette.routing import BaseRoute, Match, compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

_EMPTY_RESPONSE = 204


class AllowedMethods:
    """Which methods each path has, found out from the routes of an app."""

    def __init__(self, routes: list[BaseRoute]) -> None:
        self._paths: dict[str, tuple[Any, set[str]]] = {}
        self._others: list[BaseRoute] = []
        for context in iter_route_contexts(routes):
            if context.path is None or not context.methods:
                self._others.append(context.original_route)
                continue
            regex = compile_path(context.path)[0]
            self._paths.setdefault(context.path, (regex, set()))[1].update(context.methods)

    def of(self, scope: Scope) -> list[str]:
        """The methods of the path in this scope, sorted; empty if there is no such path."""
        path = scope["path"]
        found: set[str] = set()
        for regex, methods in self._paths.values():
            if regex.match(path):
                found |= methods
        if any(route.matches(dict(scope))[0] is not Match.NONE for route in self._others):
            found.add("GET")
        if not found:
            return []
        return sorted(found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set()))

    def allow(self, request: Request) -> str:
        """The value of `Allow` for the path of this request."""
        return ", ".join(self.of(request.scope))


class Options:
    """ASGI middleware that answers OPTIONS with 204 and `Allow`, without authentication.

    Args:
        app: what comes behind it.
        methods: the table of the app's paths.
    """

    def __init__(self, app: ASGIApp, methods: AllowedMethods) -> None:
        self._app = app
        self._methods = methods

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answers OPTIONS for a path that exists; hands everything else on."""
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            allowed = self._methods.of(scope)
            if allowed:
                return _answer(send, allowed)
        return self._app(scope, receive, send)


async def _answer(send: Send, allowed: list[str]) -> None:
    headers = [(b"allow", ", ".join(allowed).encode("ascii"))]
    await send({"type": "http.response.start", "status": _EMPTY_RESPONSE, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
