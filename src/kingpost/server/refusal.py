"""The answer to a request that never became one."""

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from kingpost.middleware.answers import RawHeaders, problem_answer
from kingpost.problems import Problem

_log = structlog.get_logger("kingpost.protocol")

_CLOSE = (b"connection", b"close")


def refusal_bytes(
    problem: Problem, request_id: str, default_headers: RawHeaders, *, head: bool = False
) -> bytes:
    """A problem as it goes over the wire, which ends the connection.

    Args:
        problem: why the request is refused.
        request_id: the id that the logs have for it.
        default_headers: of the server, such as Date.
        head: the request was a HEAD: no content.

    Returns:
        Status line, headers and content.
    """
    answer = problem_answer(problem, request_id=request_id)
    headers = [header for header in default_headers if header != _CLOSE]
    headers += [
        *answer.headers,
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", request_id.encode("ascii")),
        _CLOSE,
    ]
    lines = b"".join(b"%s: %s\r\n" % header for header in headers)
    return STATUS_LINE[problem.status] + lines + b"\r\n" + (b"" if head else answer.body)


def note_refusal(problem: Problem, request_id: str, client: str | None) -> None:
    """Logs that a request was refused.

    Args:
        problem: why.
        request_id: the id that its answer has.
        client: the address that it came from.
    """
    _log.warning(
        "request refused",
        request_id=request_id,
        status=problem.status,
        problem=problem.slug,
        detail=problem.detail,
        client=client,
    )
