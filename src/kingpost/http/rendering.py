"""Turns a problem into an HTTP answer (RFC 9457 section 3)."""

from starlette.responses import Response

from kingpost.context import current_request
from kingpost.middleware.answers import problem_answer
from kingpost.problems import Problem


def problem_response(problem: Problem) -> Response:
    """Renders a problem as `application/problem+json`.

    Args:
        problem: what went wrong.

    Returns:
        A response with the status and headers of the problem, and the id of the request.
    """
    context = current_request.get()
    answer = problem_answer(
        problem,
        request_id=context.request_id if context else None,
        path=context.path if context else None,
    )
    response = Response(answer.body, answer.status)
    response.raw_headers = answer.headers
    return response
