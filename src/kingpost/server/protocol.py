"""uvicorn's HTTP protocol, with limits, Host rules and problem documents."""

import asyncio
import sys
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from kingpost.problems import ContentTooLarge, HeaderTooLarge, Problem, UriTooLong
from kingpost.server.connections import Connections
from kingpost.server.cycle import Cycle
from kingpost.server.head import Limits, explain, path_and_query, without_upgrade
from kingpost.server.operations import PATHS
from kingpost.server.patience import Patience
from kingpost.server.refusal import Refusal
from kingpost.server.scopes import Scopes
from kingpost.server.shedding import Shedding
from kingpost.server.state import State

LATE_BODY_BYTES = 256 * 1024
FRESH_SECONDS = 2.0


class GuardedProtocol(HttpToolsProtocol):
    """One connection.

    Beyond uvicorn's own: a head is limited in bytes, lines and time while it arrives; Host and
    target obey RFC 9112; an upgrade that is not done is served as the plain request it also is;
    what is refused gets a problem document, in its turn, and a close that lets it arrive.

    Args:
        config: may carry `limits`, `state`, `shedding` and `connections_of` a port.
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
        given: Shedding | None = getattr(config, "shedding", None)
        self.shedding = given or Shedding(sys.maxsize, State())
        self.in_head = False
        self.in_body = False
        self.heads = 0
        self._trailer_bytes = 0
        self._raw_bytes = 0
        self._late_bytes = 0
        self._start = self.url = b""
        self._raised: Problem | None = None
        self._unread: bytearray | None = None
        self.refusal = Refusal(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn: asyncio's own annotation is too wide
        """A client connected; it has the keep-alive time to begin."""
        super().connection_made(transport)
        self.patience = Patience(self, transport)
        self._idle, self._lingering = self.patience.idle, self.patience.transport
        self.transport = cast(asyncio.Transport, self._lingering)
        self._scopes = Scopes(self)
        self._room = self._connections_of_port()
        if self._room is not None:
            self._room.admit(self)

    def _connections_of_port(self) -> Connections | None:
        of_port = getattr(self.config, "connections_of", None)
        return of_port(self.server[1] if self.server else None) if of_port else None

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self.is_answering():
            cast(dict[str, Any], self.cycle.scope)["kingpost.disconnected"] = True
        super().connection_lost(exc)
        self._unread = None
        self.patience.forget()
        if self._room is not None:
            self._room.forget(self)

    def is_answering(self) -> bool:
        """Whether a request was read whose answer is not complete."""
        cycle = cast("Cycle | None", self.cycle)  # None before the first request
        return cycle is not None and not cycle.response_complete

    # Bytes from the client

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if self._lingering.lingering:
            self._lingering.throw_away(len(data))
            return
        if self.refusal.is_due():
            return
        self._idle.stop()
        if self._unread is not None:
            self._keep(data)
            return
        heads, in_body = self.heads, self.in_body
        if not self.in_head and not in_body:
            self._start = data[:64]
        self._feed(data)
        if self.refusal.is_due():
            return
        if self.in_head and not in_body and self.heads - heads <= 1:
            self._raw_bytes += len(data)
            if self._raw_bytes > self.limits.header_bytes + self.limits.url_bytes:
                self.refusal.refuse(HeaderTooLarge())
        if self.in_head or self.in_body or self._idle.since is None:
            self.patience.watch_head()

    def leave_unread(self) -> None:
        """What comes is not looked at until `read_on`."""
        self._unread = self._unread or bytearray()

    def _keep(self, data: bytes) -> None:
        # Not to read at all would cost the event loop more than to read what is mostly little.
        unread = cast(bytearray, self._unread)
        unread += data
        if len(unread) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def read_on(self) -> None:
        """Looks at what has come meanwhile."""
        unread, self._unread = self._unread, None
        if unread and not self.transport.is_closing():
            self.flow.resume_reading()
            self.data_received(bytes(unread))

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
                self.refusal.refuse(self._raised or explain(error, self._start))
                return

    # Parser callbacks

    def _raise(self, problem: Problem) -> None:
        self._raised = problem
        raise problem

    def on_message_begin(self) -> None:
        """A request begins."""
        self.url = b""
        self.headers = []
        self.in_head = True
        self.heads += 1
        self._trailer_bytes = 0
        self._raw_bytes = 0

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self.url += url
        if len(self.url) > self.limits.url_bytes:
            self._raise(UriTooLong(f"The limit is {self.limits.url_bytes} bytes."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line, or a trailer, which is dropped (RFC 9110 section 6.5.1)."""
        if self.in_head:
            self.headers.append((name, value))
            return
        self._trailer_bytes += len(name) + len(value) + 4
        if self._trailer_bytes > self.limits.header_bytes:
            self._raise(HeaderTooLarge(f"The limit is {self.limits.header_bytes} bytes."))

    def on_headers_complete(self) -> None:
        """The head is complete; the request is handed to the application if it is in order."""
        method = self.parser.get_method()
        self.headers = [(name.lower(), value) for name, value in self.headers]
        if self.parser.should_upgrade() and method != b"CONNECT":
            return  # `_begin_again` parses it once more as a plain request
        version = self.parser.get_http_version()
        try:
            path, query = path_and_query(
                method=method,
                url=self.url,
                version=version,
                headers=self.headers,
                limits=self.limits,
                port=self.server[1] if self.server else None,
            )
        except Problem as problem:
            self._raise(problem)
        self.in_head, self.in_body = False, True
        self._late_bytes = 0
        self.patience.head.stop()
        keep_alive = version != "1.0" and self.parser.should_keep_alive()
        waits = self.is_answering()
        shedding = self.shedding
        if shedding.working >= shedding.most and not waits and path not in PATHS:
            shedding.refuse_at_once(self, method.decode(), keep_alive)
            return
        scope = self._scopes.scope(method, version, path, query, self.headers)
        self.cycle = cycle = Cycle(self, scope, keep_alive=keep_alive)
        if waits:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))
        else:
            cycle.start(self, self.app)

    def on_body(self, body: bytes) -> None:
        """A piece of the content; little of it is read on after the answer was sent."""
        super().on_body(body)
        if self.cycle.response_complete:
            self._late_bytes += len(body)
            if self._late_bytes > LATE_BODY_BYTES:
                self._raise(ContentTooLarge())  # closes, and what follows is not parsed any more

    def on_message_complete(self) -> None:
        """The request is complete."""
        if self.in_head:
            return
        self.in_body = False
        self.patience.content.stop()
        if self.cycle.response_complete:
            self.patience.head.stop()  # that was the time of the content; a head has its own
            if cast(Any, self.cycle) is self.shedding.refused:
                self._forget_request()
                self.shedding.hold(self)
        else:
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def _begin_again(self) -> bytes:
        """Makes a new parser. Returns the head for it, without the upgrade, which may be ignored.

        httptools takes the content of a request that asks for an upgrade for the new protocol's
        bytes; clients that offer `h2c` with every request (RFC 9110 section 7.8) would lose it.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version()
        again = without_upgrade(method, self.url, version, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return again

    # Slow readers

    def pause_writing(self) -> None:
        """The client does not take its answer as fast as it is written."""
        super().pause_writing()
        self.patience.delivery.begin()

    def resume_writing(self) -> None:
        """The client has taken nearly all of it."""
        super().resume_writing()
        self.patience.delivery.end()

    # The end of an answer, and of the server

    def on_response_complete(self) -> None:
        """An answer was sent."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            self.flow.resume_reading()
            cycle, app = self.pipeline.pop()
            cast(Cycle, cycle).start(self, app)
        elif self.refusal.problem is not None:
            self.refusal.answer()
        else:
            self.flow.resume_reading()
            self._idle.start()
            if not (self.in_body or self.in_head):
                self._forget_request()
            elif cast(Any, self.cycle) is not self.shedding.refused:  # the rest may have come
                self.patience.watch_head()

    def _forget_request(self) -> None:
        """An idle connection keeps nothing."""
        self.cycle, self.headers = cast(Any, None), []

    def drain(self) -> None:
        """The server will end soon: the answer in progress closes this connection."""
        if self.is_answering():
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """The server ends: a connection that has just begun gets a moment to be served."""
        waiting = self.in_head or self.heads == 0 or bool(self._unread)
        if waiting and not self.is_answering() and not self.refusal.answered:
            self.loop.call_later(FRESH_SECONDS, super().shutdown)
            return
        super().shutdown()
