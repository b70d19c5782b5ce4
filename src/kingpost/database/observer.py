"""What the database layer tells about itself: statements, re-runs, unknown outcomes."""

import logging
from time import perf_counter
from typing import Any

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


def observe(engine: Engine, observer: DatabaseObserver, slow: float) -> None:
    """Reports each statement of an engine and logs the slow ones, without their values.

    Args:
        engine: the engine to watch.
        observer: whom to tell.
        slow: seconds from which a statement is logged.
    """

    def started(connection: Connection, *_: Any) -> None:
        connection.info[_STARTED] = perf_counter()

    def ended(connection: Connection, _cursor: Any, sql: str, *_: Any) -> None:
        _report(observer, slow, None, _seconds(connection), sql)

    def failed(context: ExceptionContext) -> None:
        state = sqlstate(context.original_exception) or "unknown"
        _report(observer, slow, state, _seconds(context.connection), context.statement or "")

    event.listen(engine, "before_cursor_execute", started)
    event.listen(engine, "after_cursor_execute", ended)
    event.listen(engine, "handle_error", failed)


def _seconds(connection: Connection | None) -> float:
    if connection is None or connection.invalidated:
        return 0.0
    started = connection.info.pop(_STARTED, None)
    return 0.0 if started is None else perf_counter() - started


def _report(
    observer: DatabaseObserver, slow: float, state: str | None, seconds: float, sql: str
) -> None:
    request = current_request.get()
    if request is not None:
        request.statements += 1
        request.database_seconds += seconds
    observer.statement(state, seconds, sql)
    if seconds >= slow and sql:
        _SLOW.warning("a statement took %.3f s: %s", seconds, sql)
