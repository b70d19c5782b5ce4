"""What the database layer tells about itself: statements, re-runs, unknown outcomes."""

import logging
from collections.abc import Callable
from time import perf_counter
from typing import Any, ClassVar

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext

from kingpost.context import current_request
from kingpost.database.drivers import sqlstate

_SLOW = logging.getLogger("kingpost.database.slow")
_STARTED = "kingpost.started"


class DatabaseObserver:
    """Gets told what happens; does nothing. A subclass counts."""

    def statement(self, sqlstate: str | None, seconds: float, sql: str) -> None:
        """A statement was answered.

        Args:
            sqlstate: None on success, else its SQLSTATE (PostgreSQL, appendix A), or `unknown`.
            seconds: from sending it to having its answer.
            sql: the text without its values; empty for BEGIN, COMMIT and ROLLBACK that failed.
        """

    def retry(self, sqlstate: str) -> None:
        """A use case or a read is run again.

        Args:
            sqlstate: why; `08006` where a lost connection left no code.
        """

    def outcome_unknown(self) -> None:
        """A COMMIT was sent and its answer never came."""


class Reporter:
    """Tells everybody who wants to know about a statement: observer, request, log of slow ones.

    Attributes:
        watchers: of all statements of this process, called before one is sent; for tests.

    Args:
        observer: whom to tell.
        slow: seconds from which a statement is logged, without its values.
    """

    watchers: ClassVar[list[Callable[[str], None]]] = []

    def __init__(self, observer: DatabaseObserver, slow: float) -> None:
        self._observer = observer
        self._slow = slow

    def sending(self, sql: str) -> None:
        """A statement that SQLAlchemy knows nothing of is about to be sent."""
        for watcher in self.watchers:
            watcher(sql)

    def given_up(self, seconds: float) -> None:
        """A statement was sent whose answer nobody waits for: its request has spent the time."""
        request = current_request.get()
        if request is not None:
            request.statements += 1
            request.database_seconds += seconds

    def answered(self, state: str | None, seconds: float, sql: str) -> None:
        """A statement was answered; see `DatabaseObserver.statement`."""
        request = current_request.get()  # as in `given_up`, without a call for each statement
        if request is not None:
            request.statements += 1
            request.database_seconds += seconds
        self._observer.statement(state, seconds, sql)
        if seconds >= self._slow and sql:
            _SLOW.warning("a statement took %.3f s: %s", seconds, sql)


def observe(engine: Engine, reporter: Reporter) -> None:
    """Reports each statement of an engine.

    Args:
        engine: the engine to watch.
        reporter: is told.
    """

    def started(connection: Connection, *_: Any) -> None:
        connection.info[_STARTED] = perf_counter()

    def ended(connection: Connection, _cursor: Any, sql: str, *_: Any) -> None:
        reporter.answered(None, _seconds(connection), sql)

    def failed(context: ExceptionContext) -> None:
        state = sqlstate(context.original_exception) or "unknown"
        reporter.answered(state, _seconds(context.connection), context.statement or "")

    event.listen(engine, "before_cursor_execute", started)
    event.listen(engine, "after_cursor_execute", ended)
    event.listen(engine, "handle_error", failed)


def _seconds(connection: Connection | None) -> float:
    if connection is None or connection.invalidated:
        return 0.0
    started = connection.info.pop(_STARTED, None)
    return 0.0 if started is None else perf_counter() - started
