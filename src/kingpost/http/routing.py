"""The route class: what happens to a request between routing and the endpoint.

The order is that of the status policy: 401, 403 and 429 (before anything of the request is looked
at), then the query, then 415, 413, 408 and 400 for the body and the Idempotency-Key, then 422 by
FastAPI's own validation.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args, get_origin

from fastapi._compat import ModelField, Undefined
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from kingpost.context import current_request
from kingpost.http.body import JsonRequest, read_json
from kingpost.http.idempotent import HEADER as IDEMPOTENCY_KEY
from kingpost.http.idempotent import Idempotent, answer_once, idempotent_mark, key_of
from kingpost.http.openapi import standard_responses
from kingpost.http.pages import PageRead
from kingpost.http.planned import Handler, Plan, PlannedRoute
from kingpost.http.planned.answers import shows_documents, with_etag
from kingpost.http.query import read_query
from kingpost.http.runtime import runtime_of
from kingpost.http.security import PRINCIPAL_KEY, required_scopes, walk
from kingpost.http.template import route_template
from kingpost.http.validation import as_problem
from kingpost.problems import Conflict
from kingpost.projection import Document
from kingpost.projection.document import written

_NO_CONTENT = 204
_NOT_MODIFIED = 304
_HEADER = b"authorization"

Answer = Callable[[Request, dict[str, str]], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class RouteChecks:
    """What a route checks, found out once when it is made.

    Attributes:
        scopes: what the principal must have; None for a route open to everybody.
        parameters: the names that the query may have.
        reads_body: whether a JSON body is expected.
        max_body_bytes: the route's own limit in bytes; None for the service's.
        idempotent: how it honours Idempotency-Key; None if it does not.
    """

    scopes: tuple[str, ...] | None
    parameters: frozenset[str]
    reads_body: bool
    max_body_bytes: int | None
    idempotent: Idempotent | None = None


class Route(PlannedRoute):
    """A FastAPI route that authenticates first and parses strictly.

    Use it as `APIRouter(route_class=Route)`. The name of the endpoint is the operation's id, so
    that generated clients have methods such as `create_user`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        # Starlette's own limit would answer in plain text, and before authentication.
        self._own_limit: int | None = options.pop("max_body_size", None)
        options["generate_unique_id_function"] = _name
        super().__init__(*args, **options)
        checks = self.checks(self.dependant)
        self.responses = standard_responses(
            checks.scopes,
            reads_body=checks.reads_body,
            is_idempotent=checks.idempotent is not None,
        ) | {
            int(status) if str(status).isdigit() else status: response
            for status, response in self.responses.items()
            if checks.idempotent is None or str(status) != str(Conflict.status)  # is among them
        }
        if "GET" in (self.methods or ()) and _shows_a_resource(self.response_model):
            self.responses.setdefault(_NOT_MODIFIED, {"description": "Your copy is current."})

    def checks(self, dependant: Dependant) -> RouteChecks:
        """What is checked before this route is served.

        Args:
            dependant: of the route as it is included, with the dependencies of its routers.
        """
        return RouteChecks(
            scopes=required_scopes(dependant),
            parameters=_query_names(dependant),
            reads_body=self.body_field is not None,
            max_body_bytes=self._own_limit,
            idempotent=idempotent_mark(dependant),
        )

    def planned_handler(self, plan: Plan) -> Handler:
        """The checks, and the plan behind them."""

        async def answer(request: Request, query: dict[str, str]) -> Response:
            body = request.parsed if isinstance(request, JsonRequest) else Undefined
            return await plan.answer(request, body, query)

        return _checked(self.checks(plan.dependant), answer)

    def unplanned_handler(self) -> Handler:
        """The checks, and FastAPI's own handler behind them."""
        handle = super().unplanned_handler()

        is_document = shows_documents(self.as_included.response_model)

        async def answer(request: Request, _: dict[str, str]) -> Response:
            if not is_document:
                return await handle(request)
            documents: list[Document[Any]] = []
            token = written.set(documents)
            try:
                response = await handle(request)
            finally:
                written.reset(token)
            etag = documents[0].etag if len(documents) == 1 else None
            return response if etag is None else with_etag(response, etag, request)

        return _checked(self.checks(self.as_included.dependant), answer)


def _checked(checks: RouteChecks, answer: Answer) -> Handler:
    mark = checks.idempotent
    asks_runtime = checks.reads_body or mark is not None

    async def handle(request: Request) -> Response:
        await _authorize(request, checks.scopes)
        query = read_query(request.scope["query_string"], checks.parameters)
        runtime = runtime_of(request) if asks_runtime else None
        is_keyed = False
        if mark is not None and runtime is not None:
            is_keyed = mark.required or runtime.is_key_required
            for name, _ in request.scope["headers"]:
                is_keyed = is_keyed or name == IDEMPOTENCY_KEY
        if checks.reads_body and runtime is not None:
            limit = checks.max_body_bytes or runtime.max_body_bytes
            check = partial(key_of, request) if is_keyed else None
            request = await read_json(request, max_bytes=limit, before_parsing=check)
        try:
            if mark is not None and is_keyed:
                response = await _answer_once(request, query, mark, answer)
            else:
                response = await answer(request, query)
        except RequestValidationError as error:
            raise as_problem(error) from None
        if response.status_code == _NO_CONTENT:
            del response.headers["content-type"]
        return response

    return handle


async def _answer_once(
    request: Request, query: dict[str, str], mark: Idempotent, answer: Answer
) -> Response:
    """The same for a request with an Idempotency-Key, whose COMMIT waits for the response."""
    document = request.parsed if isinstance(request, JsonRequest) else None
    return await answer_once(
        request, key_of(request), document, mark, lambda: answer(request, query)
    )


def _name(route: APIRoute) -> str:
    return route.name


async def _authorize(request: Request, scopes: tuple[str, ...] | None) -> None:
    context = current_request.get()
    if context is not None and context.route is None:
        context.route = route_template(request.scope)
    if scopes is None:
        return
    sent = [str(value, "latin-1") for name, value in request.scope["headers"] if name == _HEADER]
    runtime = runtime_of(request)
    principal = await runtime.authenticator.authenticate(sent)
    if context is not None:
        context.actor = principal.actor
    principal.require(scopes)
    request.scope[PRINCIPAL_KEY] = principal
    if runtime.limiter is not None:
        limits = await runtime.limiter.admit(principal.subject)
        if context is not None:
            context.limits = limits


def _shows_a_resource(annotation: Any) -> bool:
    """Whether a route answers with one document, which may have an ETag; a page has none."""
    parts = get_args(annotation)
    if shows_documents(annotation) and get_origin(annotation) is not Document:
        return any(map(_shows_a_resource, parts))
    return bool(parts) and shows_documents(annotation) and not issubclass(parts[0], PageRead)


def _query_names(dependant: Dependant) -> frozenset[str]:
    fields = [field for node in walk(dependant) for field in node.query_params]
    return frozenset(name for field in fields for name in _names(field))


def _names(field: ModelField) -> list[str]:
    """A parameter has one name, a model of parameters one for each of its fields."""
    annotation = field.field_info.annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [info.alias or name for name, info in annotation.model_fields.items()]
    return [field.alias]
