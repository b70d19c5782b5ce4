"""One request and its answer on a connection: uvicorn's, with less work for each."""

import asyncio
import logging
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application, ASGIReceiveEvent, ASGISendEvent, HTTPScope

    from kingpost.server.protocol import GuardedProtocol

# What a name and a line may be made of (RFC 9110 sections 5.1 and 5.5); as uvicorn has it,
# bytes above 127 are left alone.
_NAME_BYTES = bytes(set(range(0x21, 0x100)) - set(b'()<>@,;:\\[]={}"\x7f'))
_LINE_BYTES = bytes({9, *range(0x20, 0x100)} - {0x7F})
_END = b"\r\n"
_line = b": ".join
_WITHOUT_CONTENT = (204, 304)
# An answer up to this size is written together with its head, at the price of a copy.
_IN_ONE_PIECE = 65_536


class _Failures(logging.LoggerAdapter[logging.Logger]):
    """What uvicorn says of a failure; a request that the end of the server cuts is no mistake."""

    def process(
        self, msg: object, kwargs: MutableMapping[str, Any]
    ) -> tuple[object, MutableMapping[str, Any]]:
        error = kwargs.get("exc_info")
        if isinstance(error, asyncio.CancelledError):
            return f"Request cut: {str(error) or 'cancelled'}", {}
        return msg, kwargs


class Cycle(RequestResponseCycle):
    """A request that is being served.

    Its answer goes through here once: the names and values of the headers are checked all
    together, and an answer whose length is known leaves with its head in one write.

    Args:
        protocol: of the connection.
        scope: of the request.
        keep_alive: whether the connection may serve another one.

    Attributes:
        receives: the application waits for content.
    """

    # What is so at the beginning of each needs no assignment for each.
    access_log = False
    access_logger = logging.getLogger("uvicorn.access")
    logger = cast(logging.Logger, _Failures(logging.getLogger("uvicorn.error")))
    disconnected = False
    more_body = True
    response_started = False
    response_complete = False
    chunked_encoding: bool | None = None
    expected_content_length = 0
    task: "asyncio.Task[None] | None" = None
    receives = False
    _late = False
    _held = b""

    def __init__(
        self,
        protocol: "GuardedProtocol",
        scope: Scope,
        *,
        keep_alive: bool,
    ) -> None:
        self.scope = cast("HTTPScope", scope)
        self.transport = protocol.transport
        self.flow = protocol.flow
        self.default_headers = protocol.server_state.default_headers
        self.message_event = asyncio.Event()
        self.on_response = protocol.on_response_complete
        self.keep_alive = keep_alive
        expect = dict(scope["headers"]).get(b"expect", b"")
        self.waiting_for_100_continue = expect.lower() == b"100-continue"
        self.body = bytearray()
        self._tasks = protocol.tasks
        self._shedding = protocol.shedding
        self._content_time = protocol.patience.content

    def start(self, connection: "GuardedProtocol", app: "ASGI3Application") -> None:
        """Starts serving, in a task that the server knows until it ends; or refuses to.

        Args:
            connection: whose turn it is.
            app: the application.
        """
        shedding = self._shedding
        if shedding.working >= shedding.lists_from and shedding.refuses(cast(Scope, self.scope)):
            # Not at once: of many that wait on a connection, each would end inside the next.
            connection.loop.call_soon(self._refuse, connection)
            return
        shedding.working += 1
        self.task = connection.loop.create_task(self.run_asgi(app))
        self._tasks.add(self.task)

    async def run_asgi(self, app: "ASGI3Application") -> None:
        """Runs the application; a failure of it ends here."""
        try:
            await super().run_asgi(app)
        finally:
            # Rather than a callback, for which the event loop would go round once more.
            self._tasks.discard(cast("asyncio.Task[None]", self.task))
            self._shedding.working -= 1

    def _refuse(self, connection: "GuardedProtocol") -> None:
        if self.transport.is_closing():
            return
        method = self.scope["method"]
        self._shedding.refuse(connection, method, self.scope["headers"], self.keep_alive)  # type: ignore[arg-type]  # a list, as we made it
        self.response_started = self.response_complete = True
        self.on_response()
        if not self.more_body:
            self._shedding.hold(connection)

    async def receive(self) -> "ASGIReceiveEvent":
        """The next piece of the content, or the news that no more comes (ASGI 3).

        The first wait for one starts the time that all of it may take.
        """
        if self._late:
            self.message_event.set()
        if self.more_body and not self.message_event.is_set():
            message = await self._wait_for_client()
        else:
            message = await super().receive()
        return {"type": "http.disconnect"} if self._late else message

    async def _wait_for_client(self) -> "ASGIReceiveEvent":
        self._content_time.start()
        self.receives = True
        try:
            return await self._shedding.away(super().receive())
        finally:
            self.receives = False

    def end_content(self) -> None:
        """The client took too long: no more content comes, and this answer is the last one."""
        self._late = True
        self.keep_alive = False
        cast("dict[str, Any]", self.scope)["kingpost.late"] = True
        self.message_event.set()

    async def send(self, message: "ASGISendEvent") -> None:
        """Writes a part of the answer (ASGI 3).

        Raises:
            RuntimeError: the application sent something that is no answer.
        """
        if self.flow.write_paused and not self.disconnected:
            await self._shedding.away(self.flow.drain())
        if self.disconnected:
            return
        parts = cast("dict[str, Any]", message)
        if not self.response_started:
            self._begin(parts)
        elif not self.response_complete:
            self._go_on(parts)
        else:
            raise RuntimeError(f"{parts['type']} was sent after the end of the answer")

    def give_up(self) -> bool:
        """Ends a request whose content is broken.

        Returns:
            Whether its answer has begun; then that goes on, as the last one of the connection.
        """
        if self.response_started:
            self.keep_alive = False
            return True
        self.disconnected = True
        self.response_complete = True
        self.message_event.set()
        return False

    def _begin(self, message: dict[str, Any]) -> None:
        if message["type"] != "http.response.start":
            raise RuntimeError(f"an answer begins with its head, not with {message['type']}")
        self.response_started = True
        self.waiting_for_100_continue = False
        status: int = message["status"]
        head = STATUS_LINE[status] + self._lines(
            [*self.default_headers, *message.get("headers", ())]
        )
        if self.chunked_encoding is None and not self._is_without_content(status):
            self.chunked_encoding = True
            head += b"transfer-encoding: chunked\r\n"
        head += _END
        if self.chunked_encoding is False:
            self._held = head  # the content follows at once
        else:
            self.transport.write(head)

    def _is_without_content(self, status: int) -> bool:
        return status in _WITHOUT_CONTENT or self.scope["method"] == "HEAD"

    def _lines(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        known = {name.lower(): value for name, value in headers}
        lines = _END.join([*map(_line, headers), b""])
        if b"".join(known).translate(None, _NAME_BYTES):
            raise RuntimeError("the name of a header is not valid")
        if lines.translate(None, _LINE_BYTES) != _END * len(headers):
            raise RuntimeError("the value of a header is not valid")
        if known.get(b"transfer-encoding", b"").lower() == b"chunked":
            self.chunked_encoding = True
        elif b"content-length" in known:
            self.expected_content_length = int(known[b"content-length"])
            self.chunked_encoding = False
        if b"connection" in known and _closes(headers):
            self.keep_alive = False
        elif not self.keep_alive:
            lines += b"connection: close\r\n"
        return lines

    def _go_on(self, message: dict[str, Any]) -> None:
        if message["type"] != "http.response.body":
            raise RuntimeError(f"a head is followed by content, not by {message['type']}")
        body: bytes = message.get("body", b"")
        more: bool = message.get("more_body", False)
        self._write(self._framed(body, more))
        if more:
            return
        if self.expected_content_length != 0:
            raise RuntimeError("the content is shorter than its Content-Length")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _framed(self, body: bytes, more: bool) -> bytes:
        """The content as it goes over the wire (RFC 9112 section 7.1)."""
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
            return b""
        if self.chunked_encoding:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return chunk if more else chunk + b"0\r\n\r\n"
        if len(body) > self.expected_content_length:
            raise RuntimeError("the content is longer than its Content-Length")
        self.expected_content_length -= len(body)
        return body

    def _write(self, content: bytes) -> None:
        if self._held:
            head, self._held = self._held, b""
            if len(content) <= _IN_ONE_PIECE:
                content = head + content
            else:
                self.transport.write(head)
        if content:
            self.transport.write(content)


def _closes(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a Connection header has the option `close` (RFC 9110 section 7.6.1)."""
    values = [value for name, value in headers if name.lower() == b"connection"]
    return any(token.strip().lower() == b"close" for v in values for token in v.split(b","))
