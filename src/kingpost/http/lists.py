"""Which requests read a list: under load they are refused first."""

from fastapi.routing import RouteContext, iter_route_contexts
from starlette._utils import get_route_path
from starlette.routing import BaseRoute
from starlette.types import Scope

from kingpost.http.pages import paging
from kingpost.http.security import walk


class Lists:
    """Knows the routes that answer with a page.

    Args:
        routes: of the app, all of them.
    """

    def __init__(self, routes: list[BaseRoute]) -> None:
        contexts = iter_route_contexts(routes)
        self._paths = [context.path_regex for context in contexts if _has_pages(context)]

    def __call__(self, scope: Scope) -> bool:
        """Whether a request reads a list."""
        if scope["method"] not in ("GET", "HEAD"):
            return False
        path = get_route_path(scope).rstrip("/")
        return any(expression.match(path) for expression in self._paths)


def _has_pages(context: RouteContext) -> bool:
    dependant = getattr(context, "dependant", None)
    return dependant is not None and any(node.call is paging for node in walk(dependant))
