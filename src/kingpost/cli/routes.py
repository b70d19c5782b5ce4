"""The routes of a service, as the command line shows them."""

from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts


@dataclass(frozen=True, slots=True)
class ListedRoute:
    """A route with its whole path.

    Attributes:
        methods: such as `GET`, sorted.
        path: the template, with the prefixes of all routers around it.
        scopes: what a key needs; None for a route open to everybody.
        name: of the endpoint.
    """

    methods: tuple[str, ...]
    path: str
    scopes: tuple[str, ...] | None
    name: str


def routes_of(app: FastAPI) -> list[ListedRoute]:
    """Lists the routes of a service, those of nested routers included.

    Args:
        app: the service.

    Returns:
        The routes in the order in which they match.
    """
    return [
        ListedRoute(tuple(sorted(item.methods)), item.path or "", _scopes(item), item.name or "")
        for item in iter_route_contexts(app.routes)
        if item.methods
    ]


def _scopes(item: RouteContext) -> tuple[str, ...] | None:
    from kingpost.http.security import required_scopes  # noqa: PLC0415 - slow to import

    route = item.original_route
    if not isinstance(route, APIRoute):
        return None
    return required_scopes(item.dependant or route.dependant)
