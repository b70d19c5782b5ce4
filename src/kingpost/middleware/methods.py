"""HEAD wherever GET is, one trailing slash more or less, and paths that are really text."""

from collections.abc import Awaitable
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kingpost.context import current_request
from kingpost.middleware.answers import problem_answer
from kingpost.problems import NotFound


class Methods:
    """Rules about methods and paths that hold for every route.

    - HEAD is served as GET, with the same headers and no content (RFC 9110 section 9.3.2).
    - `/users/` is served as `/users`, without a redirect; `//users` stays what it is.
    - A path with a NUL, or whose escapes are not UTF-8, names nothing: 404.

    Args:
        app: the application around which it goes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serves one request (ASGI 3)."""
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        raw: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass")
        if b"%" in raw and not _is_text(raw):
            return _not_found(scope, send)
        if scope["method"] == "HEAD":
            scope, send = {**scope, "method": "GET"}, _without_content(send)
        if raw.endswith(b"/") and len(raw) > 1:
            scope = {**scope, "path": scope["path"][:-1], "raw_path": raw[:-1]}
        return self.app(scope, receive, send)


def _is_text(raw: bytes) -> bool:
    decoded = unquote_to_bytes(raw)
    try:
        decoded.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in decoded


def _without_content(send: Send) -> Send:
    async def send_headers_only(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_headers_only


async def _not_found(scope: Scope, send: Send) -> None:
    context = current_request.get()
    answer = problem_answer(
        NotFound(), request_id=context.request_id if context else None, path=scope["path"]
    )
    await answer.send(send, head=scope["method"] == "HEAD")
