"""uvicorn's HTTP protocol, with limits, Host rules and problem documents."""

import asyncio
from typing import Any, cast

import httptools
import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from kingpost.middleware.identity import request_id_from, single
from kingpost.problems import HeaderTooLarge, Problem, RequestTimeout, UriTooLong
from kingpost.server.head import Headers, Limits, explain, target_of
from kingpost.server.lingering import LingeringTransport
from kingpost.server.refusal import refusal_bytes
from kingpost.server.state import State

LATE_BODY_BYTES = 256 * 1024
FRESH_SECONDS = 2.0

_log = structlog.get_logger("kingpost.protocol")


class GuardedProtocol(HttpToolsProtocol):
    """One connection.

    Beyond uvicorn's own: a head is limited in bytes, lines and time while it arrives; Host and
    target obey RFC 9112; an upgrade that is not done is served as the plain request it also is;
    what is refused gets a problem document, in its turn, and a close that lets it arrive.

    Args:
        config: may carry `limits` and `state`.
        server_state: of uvicorn.
        app_state: of the lifespan.
        _loop: the event loop.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.limits: Limits = getattr(config, "limits", None) or Limits()
        self.state: State | None = getattr(config, "state", None)
        self._in_head = False
        self._in_body = False
        self._heads = 0
        self._known_bytes = 0
        self._raw_bytes = 0
        self._late_bytes = 0
        self._start = b""
        self._raised: Problem | None = None
        self._refusal: Problem | None = None
        self._refused = False
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn: asyncio's own annotation is too wide
        """A client connected; it has the keep-alive time to begin."""
        super().connection_made(transport)
        self._lingering = LingeringTransport(transport, self._still_sending)
        self.transport = cast(asyncio.Transport, self._lingering)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self._answering():
            cast(dict[str, Any], self.cycle.scope)["kingpost.disconnected"] = True
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # uvicorn leaves it running after a reset
        self._stop_head_timer()
        self._lingering.forget()

    def _answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        return cycle is not None and not cycle.response_complete

    def _still_sending(self) -> bool:
        return self._refused or self._in_body or self._in_head

    # Bytes from the client

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if self._lingering.lingering:
            self._lingering.throw_away(len(data))
            return
        if self._refusal is not None:
            return
        self._unset_keepalive_if_required()
        heads, in_body = self._heads, self._in_body
        if not self._in_head and not in_body:
            self._start = data[:64]
        self._feed(data)
        if self._refused or self._refusal:
            return
        if self._in_head and not in_body and self._heads - heads <= 1:
            self._raw_bytes += len(data)
            if self._raw_bytes > self.limits.header_bytes + self.limits.url_bytes:
                self._refuse(HeaderTooLarge())
        self._watch_head()

    def _feed(self, data: bytes) -> None:
        waiting: list[bytes | memoryview] = [data]
        while waiting:
            piece = waiting.pop()
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:
                waiting += [memoryview(piece)[upgrade.args[0] :], self._begin_again()]
            except httptools.HttpParserError as error:
                # The exception from a callback is ours; httptools hides it behind its own.
                self._refuse(self._raised or explain(error, self._start))
                return

    # Parser callbacks

    def _raise(self, problem: Problem) -> None:
        self._raised = problem
        raise problem

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head = True
        self._heads += 1
        self._known_bytes = 0
        self._raw_bytes = 0

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        super().on_url(url)
        if len(self.url) > self.limits.url_bytes:
            self._raise(UriTooLong(f"The limit is {self.limits.url_bytes} bytes."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line, or a trailer, which is dropped (RFC 9110 section 6.5.1)."""
        self._known_bytes += len(name) + len(value) + 4
        if self._known_bytes > self.limits.header_bytes:
            self._raise(HeaderTooLarge(f"The limit is {self.limits.header_bytes} bytes."))
        if not self._in_head:
            return
        super().on_header(name, value)
        if len(self.headers) > self.limits.headers:
            self._raise(HeaderTooLarge(f"The limit is {self.limits.headers} header lines."))

    def on_headers_complete(self) -> None:
        """The head is complete; the request is handed to the application if it is in order."""
        method = self.parser.get_method()
        if self.parser.should_upgrade() and method != b"CONNECT":
            return  # `_begin_again` parses it once more as a plain request
        try:
            self.url = target_of(
                method=method,
                url=self.url,
                version=self.parser.get_http_version(),
                headers=self.headers,
                limits=self.limits,
                port=self.server[1] if self.server else None,
            )
        except Problem as problem:
            self._raise(problem)
        self._in_head, self._in_body = False, True
        self._late_bytes = 0
        self._stop_head_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the content; little of it is read on after the answer was sent."""
        super().on_body(body)
        if self.cycle.response_complete:
            self._late_bytes += len(body)
            if self._late_bytes > LATE_BODY_BYTES:
                self.transport.close()

    def on_message_complete(self) -> None:
        """The request is complete."""
        if self._in_head:
            return
        self._in_body = False
        super().on_message_complete()

    def _begin_again(self) -> bytes:
        """Makes a new parser. Returns the head for it, without the upgrade, which may be ignored.

        httptools takes the content of a request that asks for an upgrade for the new protocol's
        bytes; clients that offer `h2c` with every request (RFC 9110 section 7.8) would lose it.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version()
        kept: Headers = [(name, value) for name, value in self.headers if name != b"upgrade"]
        lines = [b"%s %s HTTP/%s" % (method, self.url, version.encode("ascii"))]
        lines += [b"%s: %s" % header for header in kept]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return b"\r\n".join(lines) + b"\r\n\r\n"

    # Slow heads

    def _watch_head(self) -> None:
        idle = not self._in_body and not self._answering()
        if self._head_timer is None and (self._in_head or idle):
            self._head_timer = self.loop.call_later(self.limits.head_seconds, self._head_late)

    def _head_late(self) -> None:
        self._head_timer = None
        if self._in_head:
            self._refuse(RequestTimeout())
        elif not self._answering():
            self.transport.close()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    # Refusals

    def _refuse(self, problem: Problem) -> None:
        """Answers with a problem, after the answers to what came before on this connection."""
        self._refusal = problem
        self._stop_head_timer()
        if self._in_body and self._give_up_current():
            return
        if not self._answering():
            self._answer_refusal()
        # Otherwise `on_response_complete` comes when it is this one's turn.

    def _give_up_current(self) -> bool:
        """The content of the last request is broken. Returns whether its answer has begun."""
        broken = self.cycle
        if self.pipeline and self.pipeline[0][0] is broken:
            self.pipeline.popleft()  # it has not begun; those before it go on
            return False
        if broken.response_started:
            broken.keep_alive = False
            if broken.response_complete:
                self._refused = True
                self.transport.close()
            return True
        broken.disconnected = True
        broken.response_complete = True
        broken.message_event.set()
        return False

    def on_response_complete(self) -> None:
        """An answer was sent."""
        last = not self.pipeline
        if last and self._refusal is not None and not self.transport.is_closing():
            self.server_state.total_requests += 1
            self._answer_refusal()
            return
        super().on_response_complete()

    def _answer_refusal(self) -> None:
        if self._refused or self._refusal is None or self.transport.is_closing():
            return
        self._refused = True
        problem = self._refusal
        request_id = request_id_from(single(self.headers or [], b"x-request-id"))
        head = bool(self.url) and self.parser.get_method() == b"HEAD"
        defaults = self.server_state.default_headers
        self.transport.write(refusal_bytes(problem, request_id, defaults, head=head))
        self._note_refusal(problem, request_id)
        self.transport.close()

    def _note_refusal(self, problem: Problem, request_id: str) -> None:
        _log.warning(
            "request refused",
            request_id=request_id,
            status=problem.status,
            problem=problem.slug,
            detail=problem.detail,
            client=self.client[0] if self.client else None,
        )
        if self.state is not None:
            self.state.metrics.observe_request("_OTHER", None, problem.status, 0.0)

    # The end of the server

    def drain(self) -> None:
        """The server will end soon: the answer in progress closes this connection."""
        if self._answering():
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """The server ends: a connection that has just begun gets a moment to be served."""
        waiting = self._in_head or self._heads == 0
        if waiting and not self._answering() and not self._refused:
            self.loop.call_later(FRESH_SECONDS, super().shutdown)
            return
        super().shutdown()
