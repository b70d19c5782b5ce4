"""The route class: what happens to a request between routing and the endpoint.

The order is that of the status policy: 401, 403 (before anything of the request is looked at),
then the query, then 413, 415 and 400 for the body, then 422 by FastAPI's own validation.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from kingpost.context import current_request
from kingpost.http.body import read_json
from kingpost.http.openapi import standard_responses
from kingpost.http.query import check_query
from kingpost.http.runtime import runtime_of
from kingpost.http.security import PRINCIPAL_KEY, required_scopes, walk
from kingpost.http.template import note_template
from kingpost.http.validation import as_problem

_NO_CONTENT = 204

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """What a route checks, found out once when it is made.

    Attributes:
        scopes: what the principal must have; None for a route open to everybody.
        parameters: the names that the query may have.
        reads_body: whether a JSON body is expected.
        max_body_bytes: the route's own limit in bytes; None for the service's.
    """

    scopes: tuple[str, ...] | None
    parameters: frozenset[str]
    reads_body: bool
    max_body_bytes: int | None


class Route(APIRoute):
    """A FastAPI route that authenticates first and parses strictly.

    Use it as `APIRouter(route_class=Route)`. The name of the endpoint is the operation's id, so
    that generated clients have methods such as `create_user`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        # Starlette's own limit would answer in plain text, and before authentication.
        self._own_limit: int | None = options.pop("max_body_size", None)
        options["generate_unique_id_function"] = _name
        super().__init__(*args, **options)
        plan = self.plan
        self.responses = standard_responses(plan.scopes, reads_body=plan.reads_body) | {
            int(status) if str(status).isdigit() else status: response
            for status, response in self.responses.items()
        }

    @property
    def plan(self) -> RoutePlan:
        """What this route checks."""
        return RoutePlan(
            scopes=required_scopes(self.dependant),
            parameters=_query_names(self.dependant),
            reads_body=self.body_field is not None,
            max_body_bytes=self._own_limit,
        )

    def get_route_handler(self) -> Handler:
        """FastAPI's handler, behind the checks of the plan."""
        handle = super().get_route_handler()
        plan = self.plan

        async def checked(request: Request) -> Response:
            note_template(request.scope)
            await _authorize(request, plan)
            check_query(request.scope["query_string"], plan.parameters)
            if plan.reads_body:
                limit = plan.max_body_bytes or runtime_of(request).max_body_bytes
                request = await read_json(request, max_bytes=limit)
            try:
                response = await handle(request)
            except RequestValidationError as error:
                raise as_problem(error) from None
            if response.status_code == _NO_CONTENT:
                del response.headers["content-type"]
            return response

        return checked


def _name(route: APIRoute) -> str:
    return route.name


async def _authorize(request: Request, plan: RoutePlan) -> None:
    if plan.scopes is None:
        return
    headers = request.headers.getlist("authorization")
    principal = await runtime_of(request).authenticator.authenticate(headers)
    context = current_request.get()
    if context is not None:
        context.actor = principal.actor
    principal.require(plan.scopes)
    request.scope[PRINCIPAL_KEY] = principal


def _query_names(dependant: Dependant) -> frozenset[str]:
    fields = [field for node in walk(dependant) for field in node.query_params]
    return frozenset(name for field in fields for name in _names(field))


def _names(field: ModelField) -> list[str]:
    """A parameter has one name, a model of parameters one for each of its fields."""
    annotation = field.field_info.annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [info.alias or name for name, info in annotation.model_fields.items()]
    return [field.alias]
