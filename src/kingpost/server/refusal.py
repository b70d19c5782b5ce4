"""The answer to a request that never became one."""

from typing import TYPE_CHECKING, cast

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from kingpost.middleware.answers import RawHeaders, problem_answer
from kingpost.middleware.identity import request_id_from, single
from kingpost.problems import Problem

if TYPE_CHECKING:
    from kingpost.server.cycle import Cycle
    from kingpost.server.protocol import GuardedProtocol

_log = structlog.get_logger("kingpost.protocol")

CLOSE = (b"connection", b"close")


class Refusal:
    """Ends a connection with a problem, after the answers to what came before on it.

    Args:
        connection: whose it is.

    Attributes:
        problem: why; None while nothing is refused.
        answered: the client was told, or cannot be any more.
    """

    __slots__ = ("_connection", "_quietly", "answered", "problem")

    def __init__(self, connection: "GuardedProtocol") -> None:
        self._connection = connection
        self.problem: Problem | None = None
        self.answered = False
        self._quietly = False

    def is_due(self) -> bool:
        """Whether the connection ends with a refusal."""
        return self.problem is not None

    def refuse(self, problem: Problem, *, quietly: bool = False) -> None:
        """Answers when it is this one's turn: now, or at the end of the answer in progress.

        Args:
            problem: why.
            quietly: without a line in the log.
        """
        self.problem = problem
        self._quietly = quietly
        connection = self._connection
        connection.patience.head.stop()
        if connection.in_body and self._give_up_current():
            return
        if not connection.is_answering():
            self.answer()

    def _give_up_current(self) -> bool:
        """The content of the last request is broken. Returns whether its answer has begun."""
        connection = self._connection
        broken = cast("Cycle", connection.cycle)
        if connection.pipeline and connection.pipeline[0][0] is broken:
            connection.pipeline.popleft()  # it has not begun; those before it go on
            return False
        begun = broken.give_up()
        if begun and broken.response_complete:
            self.answered = True
            connection.transport.close()
        return begun

    def answer(self) -> None:
        """Tells the client, once."""
        connection, problem = self._connection, self.problem
        if self.answered or problem is None or connection.transport.is_closing():
            return
        self.answered = True
        headers = [(name.lower(), value) for name, value in connection.headers or ()]
        request_id = request_id_from(single(headers, b"x-request-id"))
        head = bool(connection.url) and connection.parser.get_method() == b"HEAD"
        defaults = connection.server_state.default_headers
        connection.transport.write(refusal_bytes(problem, request_id, defaults, head=head))
        if not self._quietly:
            note_refusal(problem, request_id, connection.client[0] if connection.client else None)
        if connection.state is not None:
            connection.state.metrics.observe_request("_OTHER", None, problem.status, 0.0)
        connection.transport.close()


def refusal_bytes(
    problem: Problem,
    request_id: str,
    default_headers: RawHeaders,
    *,
    head: bool = False,
    closes: bool = True,
) -> bytes:
    """A problem as it goes over the wire.

    Args:
        problem: why the request is refused.
        request_id: the id that the logs have for it.
        default_headers: of the server, such as Date.
        head: the request was a HEAD: no content.
        closes: it ends the connection.

    Returns:
        Status line, headers and content.
    """
    answer = problem_answer(problem, request_id=request_id)
    headers = [header for header in default_headers if header != CLOSE]
    headers += [
        *answer.headers,
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", request_id.encode("ascii")),
    ]
    if closes:
        headers.append(CLOSE)
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
