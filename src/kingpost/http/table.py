"""Which route serves a path: one look into a table instead of a question to every route."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from fastapi.routing import (
    APIRoute,
    APIWebSocketRoute,
    RouteContext,
    _IncludedRouter,
    iter_route_contexts,
)
from starlette.convertors import (
    Convertor,
    IntegerConvertor,
    PathConvertor,
    StringConvertor,
    UUIDConvertor,
)
from starlette.routing import Mount, WebSocketRoute
from starlette.routing import Route as PlainRoute

from kingpost.http.planned import Handler, Plan, PlannedRoute

Convert = Callable[[str], Any]

_KNOWN_CONVERTORS = (IntegerConvertor, PathConvertor, StringConvertor, UUIDConvertor)
_AS_IT_IS = (PathConvertor, StringConvertor)
_GROUP_NAME = re.compile(r"\(\?P<\w+>")
_KNOWN_MATCHES = tuple(
    kind.matches for kind in (APIRoute, APIWebSocketRoute, PlainRoute, Mount, WebSocketRoute)
)


@dataclass(slots=True)
class Entry:
    """A route that can be served from here.

    Attributes:
        plan: says which requests it does not serve.
        handle: serves a request.
        template: of the path, with all prefixes.
        scope: what FastAPI would add to the scope, but for the parameters of the path.
        names: of the parameters of the path, in their order.
        converted: the parameters that are more than text, and how they are read.
        first: the number of the group, in the expression of the table, before its parameters.
    """

    plan: Plan
    handle: Handler
    template: str
    scope: Mapping[str, Any]
    names: tuple[str, ...]
    converted: tuple[tuple[str, Convert], ...]
    first: int = 0

    @classmethod
    def of(cls, context: RouteContext) -> "Entry | None":
        """The entry of a route as it is included; None if it is left to FastAPI."""
        route = context.original_route
        if not isinstance(route, PlannedRoute) or context.max_body_size is not None:
            return None
        flat = route.flat(context)
        if flat is None:
            return None
        convertors = context.param_convertors.items()
        return cls(
            *flat,
            template=context.path_format or "",
            scope=_added_to_scope(context),
            names=tuple(name for name, _ in convertors),
            converted=tuple(
                (name, convertor.convert)
                for name, convertor in convertors
                if type(convertor) not in _AS_IT_IS
            ),
        )

    def path_params(self, found: re.Match[str]) -> dict[str, Any]:
        """The parameters of a path that has matched."""
        params: dict[str, Any] = dict(zip(self.names, found.groups()[self.first :], strict=False))
        for name, convert in self.converted:
            params[name] = convert(params[name])
        return params


def _added_to_scope(context: RouteContext) -> dict[str, Any]:
    added = {"endpoint": context.endpoint, "route": context.original_route}
    effective = context._effective_route
    if effective is context.original_route:
        return added
    return added | {"fastapi": {"effective_route_context": effective}}


class Table:
    """The routes of one method, those that are registered first before the others."""

    def __init__(self) -> None:
        self._fixed: dict[str, Entry] = {}
        self._entries: dict[int, Entry | None] = {}
        self._expressions: list[str] = []
        self._groups = 0
        self._others: re.Pattern[str] | None = None

    def add(self, expression: re.Pattern[str], entry: Entry | None, path: str) -> None:
        """Adds a route behind those that are there already.

        Args:
            expression: which paths it serves.
            entry: serves them; None leaves them to FastAPI.
            path: of the route; the only one it serves if it has no parameters.
        """
        is_free = not any(re.match(known, path) for known in self._expressions)
        if entry is not None and not expression.groups and is_free:
            self._fixed.setdefault(path, entry)
            return
        self._expressions.append(f"({_GROUP_NAME.sub('(', expression.pattern)})")
        self._groups += 1
        self._entries[self._groups] = entry
        if entry is not None:
            entry.first = self._groups
        self._groups += expression.groups
        self._others = re.compile("|".join(self._expressions))

    def find(self, path: str) -> tuple[Entry, dict[str, Any]] | None:
        """The entry for a path with its parameters; None if the path is left to FastAPI."""
        entry = self._fixed.get(path)
        if entry is not None:
            return entry, {}
        found = self._others.match(path) if self._others is not None else None
        # The group around the expression that matched is the last one that was closed.
        entry = self._entries[found.lastindex or 0] if found is not None else None
        return None if found is None or entry is None else (entry, entry.path_params(found))


def tables_of(router: APIRouter) -> dict[str, Table]:
    """The table of each method.

    Args:
        router: of an app.

    Returns:
        Tables that send a path to the route to which FastAPI would send it, or to FastAPI.
    """
    known = [(context, Entry.of(context)) for context in _transparent(router)]
    methods = {m for context, entry in known if entry for m in context.methods or ()}
    tables = {method: Table() for method in methods}
    for context, entry in known:
        for method in methods if context.methods is None else context.methods & methods:
            tables[method].add(context.path_regex, entry, context.path or "")
    return tables


def _transparent(router: APIRouter) -> Iterator[RouteContext]:
    """The routes up to the first one whose expression alone does not say which paths it serves.

    That one and those behind it are left to FastAPI.
    """
    if not _is_plain(router) or router.middleware_stack != router.app:
        return
    for route in router.routes:
        if isinstance(route, _IncludedRouter) and not _is_plain(route.original_router):
            return
        for context in iter_route_contexts([route]):
            if not _says_all(context):
                return
            if not isinstance(context.original_route, WebSocketRoute):
                yield context


def _is_plain(router: APIRouter) -> bool:
    """Whether a router and those it includes match and handle as FastAPI's do."""
    return all(
        getattr(getattr(router, name), "__func__", None) is getattr(APIRouter, name)
        for name in ("app", "handle", "matches")
    ) and all(
        _is_plain(route.original_router)
        for route in router.routes
        if isinstance(route, _IncludedRouter)
    )


def _says_all(context: RouteContext) -> bool:
    matches = getattr(type(context.original_route), "matches", None)
    convertors: Mapping[str, Convertor[Any]] = getattr(context, "param_convertors", {})
    return matches in _KNOWN_MATCHES and all(
        type(convertor) in _KNOWN_CONVERTORS for convertor in convertors.values()
    )
