"""Problems as plain status, headers and bytes, for where no framework is at hand."""

import json
from dataclasses import dataclass
from typing import Any

from starlette.types import Send

from kingpost.problems import MEDIA_TYPE, Problem

RawHeaders = list[tuple[bytes, bytes]]
LONGEST_INSTANCE = 200
LARGEST_PROBLEM = 4096


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer, ready for ASGI or for the wire.

    Attributes:
        status: the HTTP status.
        headers: names in lower case; `content-length` is always there.
        body: the content.
    """

    status: int
    headers: RawHeaders
    body: bytes

    async def send(self, send: Send, *, head: bool = False) -> None:
        """Sends the answer to an ASGI server.

        Args:
            send: of the request that is answered.
            head: the request was a HEAD: same headers, no content.
        """
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"" if head else self.body})


def problem_answer(
    problem: Problem, *, request_id: str | None = None, path: str | None = None
) -> Answer:
    """Renders a problem (RFC 9457 section 3) in at most 4 KB.

    A request with thousands of mistakes is told the first of them, and that there are more.

    Args:
        problem: what went wrong.
        request_id: the id that the logs have for the request.
        path: of the request; escaped and shortened before it is shown.

    Returns:
        The answer, with the headers that the problem brings along.
    """
    instance = None if path is None else printable(path)
    document = _shortened(problem.document(request_id=request_id, instance=instance))
    headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    return json_answer(problem.status, document, headers, media_type=MEDIA_TYPE)


def _shortened(document: dict[str, Any]) -> dict[str, Any]:
    errors: list[Any] = document.get("errors", [])
    without = document | {"errors": [], "more_errors": True}
    left = LARGEST_PROBLEM - len(json.dumps(without))
    for shown, error in enumerate(errors):
        left -= len(json.dumps(error)) + 2
        if left < 0:
            return without | {"errors": errors[:shown]}
    return document


def json_answer(
    status: int,
    document: object,
    headers: RawHeaders | None = None,
    *,
    media_type: str = "application/json",
) -> Answer:
    """Renders a JSON document.

    Args:
        status: the HTTP status.
        document: what `json.dumps` takes.
        headers: further headers, names in lower case.
        media_type: of the document.

    Returns:
        The answer.
    """
    body = json.dumps(document).encode("ascii")
    fixed = [
        (b"content-type", media_type.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    return Answer(status, [*fixed, *(headers or [])], body)


def printable(path: str) -> str:
    """A path as it may stand in an answer: short, and with nothing that could fake a line."""
    shown = path[:LONGEST_INSTANCE].encode("ascii", "backslashreplace").decode("ascii")
    return "".join(character if character.isprintable() else "?" for character in shown)
