"""No request takes longer than its deadline, even when the database has gone silent."""

import asyncio
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kingpost.context import current_request
from kingpost.middleware.answers import problem_answer
from kingpost.observability.fingerprint import type_name
from kingpost.problems import DeadlineExceeded, OutcomeUnknown, Problem

_log = structlog.get_logger("kingpost.deadline")


class Deadline:
    """Answers 503 when an answer has not begun in time, without waiting for the application.

    Ending a query on a silent server takes both drivers seconds (asyncpg 2, psycopg 10), so the
    client gets its answer first, and the application is cancelled behind its back. What it
    sends after that is dropped. An answer that has begun is not cut.

    Time runs from the first byte of the request's head being understood, so that an upload that
    never ends counts too.

    Args:
        app: the application around which it goes.
        seconds: from the start of the request to the start of its answer.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request (ASGI 3)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await _Race(self.seconds, scope, send).run(self.app, receive)


class _Race:
    """One request against its deadline.

    A timer instead of a second task: a request that is in time pays for one timer handle, and
    the server's own reference keeps the task of one that is late.
    """

    __slots__ = ("answer", "cancelled", "scope", "seconds", "send_on", "started", "task", "timer")

    def __init__(self, seconds: float, scope: Scope, send: Send) -> None:
        self.seconds = seconds
        self.scope = scope
        self.send_on = send
        self.started = False
        self.cancelled = False
        self.answer: asyncio.Task[None] | None = None
        task: asyncio.Task[Any] | None = asyncio.current_task()
        assert task is not None  # noqa: S101 - ASGI applications run in tasks
        self.task = task
        self.timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    async def run(self, app: ASGIApp, receive: Receive) -> None:
        try:
            await app(self.scope, receive, self.send)
        except BaseException as error:
            if self.answer is None:
                raise
            self._absorb(error)
        finally:
            self.timer.cancel()
        if self.answer is not None:
            await self.answer

    async def send(self, message: Message) -> None:
        if self.answer is not None:
            return
        self.started = True
        await self.send_on(message)

    def _expire(self) -> None:
        if self.started:
            return
        context = current_request.get()
        committing = context is not None and context.committing
        if context is not None:
            context.abandoned = True
        changed = context is not None and context.committed  # and a hook, say, takes too long
        problem: Problem = OutcomeUnknown() if committing or changed else DeadlineExceeded()
        loop = asyncio.get_running_loop()
        self.answer = loop.create_task(self._answer(problem))
        _log.warning("deadline exceeded", seconds=self.seconds, committing=committing)
        if committing:
            # A COMMIT that is merely slow may still succeed; it is given as long again.
            self.timer = loop.call_later(self.seconds, self._cancel)
        else:
            self._cancel()

    def _cancel(self) -> None:
        self.cancelled = True
        self.task.cancel()

    async def _answer(self, problem: Problem) -> None:
        context = current_request.get()
        answer = problem_answer(
            problem,
            request_id=context.request_id if context else None,
            path=context.path if context else None,
        )
        await answer.send(self.send_on, head=self.scope["method"] == "HEAD")

    def _absorb(self, error: BaseException) -> None:
        """Ends the abandoned application's failure here: the client has had its answer."""
        if isinstance(error, asyncio.CancelledError):
            if not self.cancelled or self.task.uncancel() > 0:
                raise error  # somebody else wants this task to end
            return
        if not isinstance(error, Exception):
            raise error
        _log.info("an abandoned request failed", error_type=type_name(error))
