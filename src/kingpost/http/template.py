"""The template of the matched route, for logs and metrics: never the raw path."""

from typing import cast

from starlette.types import Scope

from kingpost.context import current_request


def route_template(scope: Scope) -> str | None:
    """The template of the matched route with all prefixes, such as `/api/v1/users/{user_id}`.

    FastAPI keeps the route of an included router without its prefix in the scope, and the
    prefixed one beside it.

    Args:
        scope: of a request that has been routed.

    Returns:
        The template, or None if no route matched.
    """
    effective = scope.get("fastapi", {}).get("effective_route_context")
    route = effective if effective is not None else scope.get("route")
    return cast("str | None", getattr(route, "path_format", None))


def note_template(scope: Scope, template: str | None = None) -> None:
    """Tells the middleware outside which route serves the request.

    Args:
        scope: of a request that has been routed.
        template: of the route, where Starlette does not leave it in the scope.
    """
    context = current_request.get()
    if context is not None:
        context.route = template or route_template(scope)
