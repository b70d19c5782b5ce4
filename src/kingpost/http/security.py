"""How a route says which scopes it needs, in FastAPI's own words.

    ReadPosts = Annotated[Principal, needs("posts:read")]

    @router.get("/{post_id}")
    async def get_post(post_id: Id, principal: ReadPosts) -> PostRead: ...

The check itself is made by `kingpost.http.Route` before the query and the body are looked at;
what stands here makes it visible in the signature and in the OpenAPI document.
"""

from collections.abc import Iterator
from typing import Any, cast

from fastapi import Security
from fastapi.dependencies.models import Dependant
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from kingpost.security import Principal

PRINCIPAL_KEY = "kingpost.principal"


class ApiKey(SecurityBase):
    """The dependency that hands the principal of the request to the route."""

    def __init__(self) -> None:
        self.scheme_name = "ApiKey"
        self.model = HTTPBearer(
            bearerFormat="kp_…", description="An API key, as made by `kingpost keys create`."
        )

    async def __call__(self, request: Request) -> Principal:
        """Returns the principal that the route class has authenticated."""
        return cast(Principal, request.scope[PRINCIPAL_KEY])


_API_KEY = ApiKey()


def needs(*scopes: str) -> Any:
    """A dependency on a principal that has all of these scopes.

    Args:
        *scopes: such as `posts:write`.

    Returns:
        What FastAPI's `Security` returns, for use in `Annotated`.
    """
    return Security(_API_KEY, scopes=list(scopes))


def required_scopes(dependant: Dependant) -> tuple[str, ...] | None:
    """The scopes that a route needs; None if it is open to everybody."""
    nodes = [node for node in walk(dependant) if isinstance(node.call, ApiKey)]
    if not nodes:
        return None
    return tuple(dict.fromkeys(s for node in nodes for s in node.own_oauth_scopes or ()))


def walk(dependant: Dependant) -> Iterator[Dependant]:
    """A dependant and all that it depends on."""
    yield dependant
    for child in dependant.dependencies:
        yield from walk(child)
