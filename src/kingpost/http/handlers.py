"""Where every failure ends: one handler for each kind of exception, one renderer for all."""

from collections.abc import Mapping
from typing import cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from kingpost import problems
from kingpost.http.methods import AllowedMethods
from kingpost.http.rendering import problem_response
from kingpost.http.validation import as_problem
from kingpost.problems import Problem

_BY_STATUS: Mapping[int, type[Problem]] = {
    kind.status: kind
    for kind in (
        problems.BadRequest,
        problems.Unauthenticated,
        problems.Forbidden,
        problems.NotFound,
        problems.ContentTooLarge,
        problems.UnsupportedMediaType,
        problems.Invalid,
    )
}


def install_handlers(app: FastAPI, methods: AllowedMethods) -> None:
    """Registers the handlers that turn exceptions into problems.

    Unhandled exceptions are not among them: `kingpost.middleware.Observe` answers these, since
    it also logs them.
    """

    async def on_problem(_: Request, error: Exception) -> Response:
        return problem_response(cast(Problem, error))

    async def on_validation_error(request: Request, error: Exception) -> Response:
        return await on_problem(request, as_problem(cast(RequestValidationError, error)))

    async def on_http_exception(request: Request, error: Exception) -> Response:
        return await on_problem(
            request, _from_http_exception(cast(HTTPException, error), request, methods)
        )

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_exception)


def _from_http_exception(
    error: HTTPException, request: Request, methods: AllowedMethods
) -> Problem:
    """The router and the parsers of Starlette raise these; our own code does not."""
    if error.status_code == problems.MethodNotAllowed.status:
        return problems.MethodNotAllowed(headers={"Allow": methods.allow(request)})
    kind = _BY_STATUS.get(error.status_code)
    if kind is None:
        raise error
    return kind(headers=error.headers)
