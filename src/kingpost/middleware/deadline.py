"""No request takes longer than its deadline, even when the database has gone silent."""

import asyncio
from collections.abc import Awaitable
from contextvars import copy_context
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kingpost.context import current_request
from kingpost.middleware.answers import problem_answer
from kingpost.observability.fingerprint import type_name
from kingpost.problems import DeadlineExceeded, OutcomeUnknown, Problem

# Event loops count in milliseconds and may ring a little before the time.
_EARLY = 0.001

_log = structlog.get_logger("kingpost.deadline")


class Deadline:
    """Answers 503 when an answer has not begun in time, without waiting for the application.

    Ending a query on a silent server takes both drivers two seconds, so the client gets its
    answer first, and the application is cancelled behind its back. What it sends after that is
    dropped. An answer that has begun is not cut.

    Time runs from the first byte of the request's head being understood, so that an upload that
    never ends counts too.

    Args:
        app: the application around which it goes.
        seconds: from the start of the request to the start of its answer.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self._clock = _Clock(seconds)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serves one request (ASGI 3)."""
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        return _Race(self._clock, scope, send).run(self.app, receive)


class _Clock:
    """One timer for all requests: they are due in the order in which they began.

    A timer for each would have to be made, sorted in and cancelled again for every request.
    """

    __slots__ = ("_armed", "_running", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._running: dict[_Race, float] = {}
        self._armed: asyncio.AbstractEventLoop | None = None

    def start(self, race: "_Race", loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + self.seconds
        self._running[race] = due
        if self._armed is not loop:
            self._armed = loop
            loop.call_at(due, self._ring, loop)

    def stop(self, race: "_Race") -> None:
        self._running.pop(race, None)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._armed = None
        now = loop.time() + _EARLY
        for race, due in list(self._running.items()):
            if due > now:
                self._armed = loop
                loop.call_at(due, self._ring, loop)
                return
            del self._running[race]
            race.request.run(race.expire)


class _Race:
    """One request against its deadline.

    No second task: a request that is in time pays for an entry in a dictionary, and the server's
    own reference keeps the task of one that is late.
    """

    __slots__ = (
        *("answer", "cancelled", "clock", "request", "scope"),
        *("second_timer", "send_on", "started", "task"),
    )

    def __init__(self, clock: _Clock, scope: Scope, send: Send) -> None:
        self.clock = clock
        self.scope = scope
        self.send_on = send
        self.started = False
        self.cancelled = False
        self.answer: asyncio.Task[None] | None = None
        self.second_timer: asyncio.TimerHandle | None = None

    async def run(self, app: ASGIApp, receive: Receive) -> None:
        self.request = copy_context()
        self.task = _current_task()
        self.clock.start(self, self.task.get_loop())
        try:
            await app(self.scope, receive, self.send)
        except BaseException as error:
            if self.answer is None:
                raise
            self._absorb(error)
        finally:
            self.clock.stop(self)
            if self.second_timer is not None:
                self.second_timer.cancel()
        if self.answer is not None:
            await self.answer

    def send(self, message: Message) -> Awaitable[None]:
        if self.answer is not None:
            return _drop()
        self.started = True
        return self.send_on(message)

    def expire(self) -> None:
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
        _log.warning("deadline exceeded", seconds=self.clock.seconds, committing=committing)
        if committing:
            # A COMMIT that is merely slow may still succeed; it is given as long again.
            self.second_timer = loop.call_later(self.clock.seconds, self._cancel)
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


def _current_task() -> asyncio.Task[Any]:
    task: asyncio.Task[Any] | None = asyncio.current_task()
    assert task is not None  # noqa: S101 - ASGI applications run in tasks
    return task


async def _drop() -> None:
    """What is sent after the deadline goes nowhere."""
