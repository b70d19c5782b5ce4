"""The smallest applications that answer as an API does: one for ASGI, the same for RSGI."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]


def _document(size: int) -> bytes:
    """A JSON document of exactly so many bytes."""
    frame = {"id": "018f3f6e-0000-7000-8000-000000000000", "content": ""}
    missing = size - len(json.dumps(frame))
    return json.dumps(frame | {"content": "x" * missing}).encode()


SMALL = _document(300)
LARGE = _document(10_000)
ANSWERS = {"/small": SMALL, "/large": LARGE}
_HEADERS = {
    len(body): [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    for body in (SMALL, LARGE)
}


async def asgi(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Answers GET /small and /large; reads what is posted, then answers as /small does."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    body = ANSWERS[scope["path"]]
    if scope["method"] == "POST":
        await _content(receive)
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS[len(body)]})
    await send({"type": "http.response.body", "body": body})


async def _content(receive: Callable[[], Awaitable[Message]]) -> bytes:
    received = b""
    while True:
        message = await receive()
        received += bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return received


async def _lifespan(
    receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    while True:
        phase = (await receive())["type"]
        await send({"type": f"{phase}.complete"})
        if phase == "lifespan.shutdown":
            return


async def rsgi(scope: Any, protocol: Any) -> None:
    """The same on granian's own interface, for information: no framework of ours speaks it."""
    if scope.proto != "http":
        return
    if scope.method == "POST":
        await protocol()
    headers = [("content-type", "application/json")]
    protocol.response_bytes(200, headers, ANSWERS[scope.path])
