"""The outermost layer: gives a request its id, and says afterwards what became of it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Collection, Iterable
from contextlib import suppress
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kingpost.context import RequestContext, current_request
from kingpost.middleware.answers import problem_answer
from kingpost.middleware.identity import identify
from kingpost.observability.fingerprint import fingerprint, type_name
from kingpost.observability.logging import access_log
from kingpost.observability.metrics import Metrics
from kingpost.problems import OutcomeUnknown, Problem, RequestTimeout, Unavailable

QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})
CLIENT_CLOSED = 499

_log = structlog.get_logger("kingpost.access")
_errors = structlog.get_logger("kingpost.errors")


class Observe:
    """Sets `current_request`, adds the headers every answer has, logs and counts the request.

    It must be the outermost middleware: uvicorn lets context variables of one request leak into
    the next one on a connection, and only what is set first, every time, is right.

    Args:
        app: the application around which it goes.
        metrics: counts requests; None counts nothing.
        development: log whole tracebacks; otherwise type, route and fingerprint of an error.
        quiet: routes whose requests are logged at level debug only.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics | None = None,
        development: bool = False,
        quiet: Collection[str] = QUIET_ROUTES,
    ) -> None:
        self.app = app
        self.metrics = metrics
        self.development = development
        self.quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request (ASGI 3)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(self, scope, send)
        token = current_request.set(exchange.context)
        if self.metrics is not None:
            self.metrics.in_flight += 1
        try:
            await self.app(scope, receive, exchange.send)
        except ClientDisconnect:
            if scope.get("kingpost.late"):
                await exchange.failed(RequestTimeout())
            else:
                scope["kingpost.disconnected"] = True
        except Exception as error:  # noqa: BLE001 - every failure ends here
            await exchange.failed(error)
        except asyncio.CancelledError:
            await exchange.cancelled()
            raise
        finally:
            exchange.finish()
            current_request.reset(token)


class _Exchange:
    """One request with its answer."""

    __slots__ = ("_send", "began", "context", "finished", "observe", "scope", "status")

    def __init__(self, observe: Observe, scope: Scope, send: Send) -> None:
        self.observe = observe
        self.scope = scope
        self._send = send
        self.began = time.perf_counter()
        self.status: int | None = None
        self.finished = False
        request_id, trace = identify(scope["headers"])
        client = scope.get("client")
        self.context = RequestContext(
            request_id,
            scope["method"],
            scope["path"],
            address=client[0] if client else None,
            notes=trace,
        )

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return self._send({**message, "headers": self._decorated(message.get("headers", ()))})
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            return self._send_last(message)
        return self._send(message)

    async def _send_last(self, message: Message) -> None:
        await self._send(message)
        self.finish()

    def _decorated(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        decorated = [*headers, (b"x-request-id", self.context.request_id.encode("ascii"))]
        names = {name.lower() for name, _ in decorated}
        if b"cache-control" not in names:
            decorated.append((b"cache-control", b"no-store"))
        if b"x-content-type-options" not in names:
            decorated.append((b"x-content-type-options", b"nosniff"))
        if self.context.limits:
            decorated += self.context.limits
        return decorated

    async def failed(self, error: Exception) -> None:
        """Answers for a failure nobody else has answered, if that is still possible."""
        problem = error if isinstance(error, Problem) else Problem()
        if not isinstance(error, Problem) or self.status is not None:
            self._log_failure(error)
        if self.finished:
            return  # the client has its answer; raising would only cut its connection
        if self.status is not None:
            raise error
        await self._answer(problem)

    async def cancelled(self) -> None:
        """The server is ending and cannot wait any longer."""
        if self.status is not None:
            return
        changed = self.context.committing or self.context.committed
        why = "The server is shutting down."
        with suppress(Exception):
            await self._answer(OutcomeUnknown(why) if changed else Unavailable(why))

    async def _answer(self, problem: Problem) -> None:
        answer = problem_answer(problem, request_id=self.context.request_id, path=self.context.path)
        await answer.send(self.send, head=self.context.method == "HEAD")

    def _log_failure(self, error: Exception) -> None:
        fields: dict[str, Any] = {
            "error_type": type_name(error),
            "fingerprint": fingerprint(error),
            "route": self.context.route,
        }
        if self.observe.development:
            fields["exc_info"] = error
        _errors.error("unhandled error", **fields)

    def finish(self) -> None:
        """Logs and counts, once."""
        if self.finished:
            return
        self.finished = True
        seconds = time.perf_counter() - self.began
        gone = bool(self.scope.get("kingpost.disconnected"))
        status = self.status if self.status is not None else CLIENT_CLOSED if gone else 500
        if self.observe.metrics is not None:
            self._count(self.observe.metrics, status, seconds, gone)
        self._log(status, seconds, gone)

    def _count(self, metrics: Metrics, status: int, seconds: float, gone: bool) -> None:
        metrics.in_flight -= 1
        if gone:
            metrics.client_disconnects.inc()
        metrics.observe_request(self.context.method, self.context.route, status, seconds)

    def _log(self, status: int, seconds: float, gone: bool) -> None:
        context = self.context
        level = logging.DEBUG if context.route in self.observe.quiet else logging.INFO
        access = access_log()
        if access is not None:
            access.write(context, status=status, seconds=seconds, gone=gone, level=level)
            return
        fields: dict[str, Any] = {
            "method": context.method,
            "route": context.route,
            "status": status,
            "duration_ms": round(seconds * 1000, 2),
            "statements": context.statements,
            "database_ms": round(context.database_seconds * 1000, 2),
        }
        if gone:
            fields["disconnected"] = True
        _log.log(level, "request", **fields)
