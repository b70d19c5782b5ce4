"""What a route does for a request, found out once from its declaration.

FastAPI walks the tree of dependencies for every request and asks of each node what it is. A plan
has the answers: a flat list of calls, with readers for their parameters. It validates with
FastAPI's own fields, raises FastAPI's own errors in FastAPI's own order, and is not made for what
it does not know: generators, forms and files, background tasks, limits of concurrency, streams.
"""

from typing import Any

from fastapi import params, routing
from fastapi._compat import Undefined
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from kingpost.http.planned.answers import Answers
from kingpost.http.planned.bodies import ReadBody, body_reader
from kingpost.http.planned.given import Errors, Given, new_response
from kingpost.http.planned.steps import Steps, Unplanned, steps_of

# Tools that observe requests replace functions of this module; `Any`, as it exports them not.
_live: Any = routing


def _own(name: str) -> Any:
    """A function of FastAPI's; None if a tool has put its own in the place."""
    function = getattr(_live, name)
    is_own = function.__module__.startswith("fastapi.") and not hasattr(function, "__wrapped__")
    return function if is_own else None


_HANDLER = _own("get_request_handler")
_SOLVE = _own("solve_dependencies")
_RUN = _own("run_endpoint_function")
_SERIALIZE = _own("serialize_response")


class Plan:
    """The work of one route.

    Args:
        route: FastAPI's route, or what it has become where its router is included.
        steps: the calls.

    Attributes:
        dependant: FastAPI's description of the endpoint and its dependencies.
        reads_body: whether a body is expected.
    """

    def __init__(self, route: Any, steps: Steps) -> None:
        self.dependant: Dependant = route.dependant
        self._overridable = route.dependency_overrides_provider
        self._steps = steps.steps
        self._order = steps.order
        self._wants_response = steps.wants_response
        self._answers = Answers(route, is_async=steps.steps[-1].is_async, invalid=self._not_as_said)
        self._last = len(steps.steps) - 1
        self.reads_body = route.body_field is not None
        self._read_body = self._body_reader(route)

    @classmethod
    def of(cls, route: Any) -> "Plan | None":
        """The plan of a route; None if it is left to FastAPI.

        Args:
            route: FastAPI's route, or what it has become where its router is included.
        """
        is_form = route.body_field and isinstance(route.body_field.field_info, params.Form)
        if is_form or _HANDLER is None or _live.get_request_handler is not _HANDLER:
            return None
        try:
            embeds = route._embed_body_fields
            return cls(route, steps_of(route.dependant, is_embedded=embeds))
        except Unplanned:
            return None

    def is_overruled(self, scope: Scope) -> bool:
        """Whether FastAPI's own handler must serve this request.

        Args:
            scope: of the request.

        Returns:
            True if dependencies are overridden, or if telemetry watches what FastAPI does.
        """
        return bool(
            (self._overridable and self._overridable.dependency_overrides)
            or scope.get("fastapi.telemetry") is not None
            or _live.solve_dependencies is not _SOLVE
            or _live.run_endpoint_function is not _RUN
            or _live.serialize_response is not _SERIALIZE
        )

    async def body_of(self, request: Request) -> Any:
        """Reads the body as FastAPI does.

        Args:
            request: the request.

        Returns:
            The parsed JSON, bytes if it is none by its content type, `Undefined` without a body.

        Raises:
            RequestValidationError: it is not JSON.
            HTTPException: it cannot be read.
        """
        return await self._read_body(request) if self.reads_body else Undefined

    async def answer(
        self, request: Request, body: Any = Undefined, query: dict[str, str] | None = None
    ) -> Response:
        """Serves a request.

        Args:
            request: the request.
            body: its parsed body.
            query: its parameters, if no name is repeated; None has them read when needed.

        Returns:
            The response.

        Raises:
            RequestValidationError: a parameter or the body is not what the route asks for.
            ResponseValidationError: the endpoint returned what the route does not return.
        """
        given = Given(request, body, query)
        if self._wants_response:
            given.response = new_response()
        return await self._answers.response(await self._carry_out(given), given)

    async def _carry_out(self, given: Given) -> Any:
        results: list[Any] = [_NOTHING] * len(self._steps)
        failed: dict[int, Errors] = {}
        for step in self._steps:
            values = step.arguments(given, results)
            if step.body is not None:
                await step.body.read(given, values)
            if given.errors:
                failed[step.number] = given.errors
                given.errors = []
            if failed and not step.below.isdisjoint(failed):
                continue
            if step.reuse is not None and results[step.reuse] is not _NOTHING:
                results[step.number] = results[step.reuse]
            elif step.is_async:
                results[step.number] = await step.dependant.call(**values)
            else:
                results[step.number] = await run_in_threadpool(step.dependant.call, **values)
        if failed:
            errors = [error for number in self._order for error in failed.get(number, ())]
            raise self._invalid(given.request, errors, given.body)
        return results[self._last]

    def _invalid(self, request: Request, errors: Errors, body: Any) -> RequestValidationError:
        return RequestValidationError(
            errors,
            body=None if body is Undefined else body,
            endpoint_ctx=self._place(request),
        )

    def _not_as_said(self, request: Request, errors: Errors, value: Any) -> ResponseValidationError:
        return ResponseValidationError(errors=errors, body=value, endpoint_ctx=self._place(request))

    def _place(self, request: Request) -> Any:
        """Where the endpoint is, for the text of an error."""
        place = _live._extract_endpoint_context(self.dependant.call)
        if self.dependant.path:
            prefix = request.scope.get("root_path", "").rstrip("/")
            place["path"] = f"{request.method} {prefix}{self.dependant.path}"
        return place

    def _body_reader(self, route: Any) -> ReadBody:
        strict = route.strict_content_type
        return body_reader(
            is_strict=strict.value if isinstance(strict, DefaultPlaceholder) else strict,
            raised=self._invalid,
        )


_NOTHING = object()
