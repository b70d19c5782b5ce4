"""Runs the statements of a change one by one and looks at what each of them does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import ExecutionContext
from sqlalchemy.ext.asyncio import AsyncEngine

from kingpost.database.drivers import sqlstate
from kingpost.migrations.rehearsal.hints import with_hint
from kingpost.migrations.rehearsal.snapshots import OWN_TABLES, State, World, state

# They take no lock on a table, and some of them have to come before any query.
_CONTROL = {"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"} | {
    "set",
    "reset",
    "show",
    "discard",
}
# What says that it cannot run inside of a transaction (PostgreSQL, appendix A).
_NOT_IN_TRANSACTION = {"25001", "2D000"}

BOOKKEEPING, BATCH = "kingpost_bookkeeping", "kingpost_batch"


@dataclass(slots=True)
class Step:
    """A statement of the change that was run.

    Args:
        sql: as it was sent.
        place: where it stands, `file:line`.
        transaction: number of its transaction, from 1; None outside of any.
        before: what the session saw before it.
        after: what it saw then; None if the statement failed.
        observed: False for one that takes no lock and reads no table, such as COMMIT.
        batch: whether it is a part of a backfill, which commits each of them.
        error: its failure, `SQLSTATE: message`.
        sqlstate: of its failure.
    """

    sql: str
    place: str
    transaction: int | None = None
    before: State = field(default_factory=State)
    after: State | None = None
    observed: bool = True
    batch: bool = False
    error: str | None = None
    sqlstate: str | None = None

    @property
    def writes(self) -> bool:
        """Whether its transaction has changed anything by then."""
        return self.observed and self.after is not None and self.after.writes


class Observer:
    """Takes over the execution of an engine's statements.

    Args:
        known: what existed before the change.
        place: says where the statement that is about to run stands; None if it is not one of
            the change.
        on_commit: called with the number of a transaction that has been committed, before the
            next statement runs, or when the change is settled.
    """

    def __init__(
        self, known: World, place: Callable[[], str | None], on_commit: Callable[[int], None]
    ) -> None:
        self.steps: list[Step] = []
        self.committed: set[int] = set()
        self._known = known
        self._place = place
        self._on_commit = on_commit
        self._number = 0
        self._open = False
        self._state: State | None = None
        self._unsettled: list[int] = []

    def attach(self, engine: AsyncEngine) -> None:
        """Begins to observe.

        Args:
            engine: whose statements, not yet connected.
        """
        sync = engine.sync_engine
        event.listen(sync, "do_execute", self._do_execute)
        event.listen(sync, "do_execute_no_params", self._do_execute_no_params)
        event.listen(sync, "do_executemany", self._do_executemany)
        event.listen(sync, "commit", lambda _: self.end_transaction(committed=True))
        event.listen(sync, "rollback", lambda _: self.end_transaction(committed=False))

    def _do_execute(self, cursor: Any, sql: str, parameters: Any, context: Any) -> bool:
        run = context.dialect.do_execute
        return self._execute(lambda: run(cursor, sql, parameters, context), sql, context)

    def _do_execute_no_params(self, cursor: Any, sql: str, context: Any) -> bool:
        run = context.dialect.do_execute_no_params
        return self._execute(lambda: run(cursor, sql, context), sql, context)

    def _do_executemany(self, cursor: Any, sql: str, parameters: Any, context: Any) -> bool:
        run = context.dialect.do_executemany
        return self._execute(lambda: run(cursor, sql, parameters, context), sql, context)

    def _execute(self, run: Callable[[], None], sql: str, context: ExecutionContext) -> bool:
        place, options = self._place(), context.execution_options
        if place is None or not is_of_change(sql, options):
            return False
        self.settle()
        session = _Session(context.root_connection)
        step = Step(sql, place, observed=first_word(sql) not in _CONTROL)
        step.batch = bool(options.get(BATCH))
        self.steps.append(step)
        try:
            if step.observed and session.autocommit and not session.in_transaction:
                self._alone(run, session, step)
            else:
                self._inside(run, session, step)
        except Exception as error:
            step.sqlstate, step.error = sqlstate(error), failure_of(error)
            raise
        return True

    def settle(self) -> None:
        """Tells of the transactions that have been committed since the last time."""
        unsettled, self._unsettled = self._unsettled, []
        for number in unsettled:
            self.committed.add(number)
            self._on_commit(number)

    def _alone(self, run: Callable[[], None], session: "_Session", step: Step) -> None:
        """Puts a transaction around a statement, to see its locks before they are gone."""
        self._number += 1
        step.transaction = self._number
        session.fetch("BEGIN")
        try:
            step.before = state(session.fetch, self._known)
            run()
            after = state(session.fetch, self._known)
            session.fetch("COMMIT")
        except Exception as error:
            session.fetch("ROLLBACK")
            if sqlstate(error) not in _NOT_IN_TRANSACTION:
                raise
            self._bare(run, session, step)
        else:
            step.after = after
            self.committed.add(self._number)
            self._unsettled.append(self._number)

    def _bare(self, run: Callable[[], None], session: "_Session", step: Step) -> None:
        step.transaction = None
        step.before = state(session.fetch, self._known)
        run()
        step.after = replace(state(session.fetch, self._known), writes=True)
        self._unsettled.append(self._number)

    def _inside(self, run: Callable[[], None], session: "_Session", step: Step) -> None:
        begins = not self._open and not (session.autocommit and not session.in_transaction)
        if begins or first_word(step.sql) in {"begin", "start"}:
            self._number, self._open, self._state = self._number + 1, True, None
        step.transaction = self._number if self._open else None
        if not step.observed:
            run()
            step.after = State()
            self._after_control(session, step)
            return
        step.before = self._state or state(session.fetch, self._known)
        run()
        step.after = self._state = state(session.fetch, self._known)

    def _after_control(self, session: "_Session", step: Step) -> None:
        if session.autocommit and self._open and not session.in_transaction:
            committed = first_word(step.sql) in {"commit", "end"}
            self.committed |= {self._number} if committed else set()
            self.end_transaction(committed=committed)
        elif first_word(step.sql) == "rollback":
            self._state = None  # to a savepoint; its locks are gone

    def end_transaction(self, *, committed: bool) -> None:
        """Notes that a transaction has ended, or is about to.

        Args:
            committed: whether by COMMIT.
        """
        if self._open and committed:
            self._unsettled.append(self._number)
        self._open, self._state = False, None


def is_of_change(sql: str, options: Mapping[str, Any]) -> bool:
    """Tells a statement of a change from those with which the runner keeps its books.

    Args:
        sql: the statement.
        options: of its execution.

    Returns:
        False for one of the runner.
    """
    if options.get(BATCH):  # one statement fills rows and writes down how far it is
        return True
    return not options.get(BOOKKEEPING) and not any(name in sql for name in OWN_TABLES)


def first_word(sql: str) -> str:
    """The first word of a statement.

    Args:
        sql: without comments before it.

    Returns:
        It in lower case.
    """
    return sql.split(None, 1)[0].rstrip(";").lower() if sql.strip() else ""


def failure_of(error: BaseException) -> str:
    """Says in one line what failed.

    Args:
        error: of SQLAlchemy, a driver, or Python.

    Returns:
        `SQLSTATE: message`, or the class and message of an error that PostgreSQL knows not.
    """
    original = getattr(error, "orig", None) or error
    driver = original.__cause__ or original
    diagnosis = getattr(driver, "diag", None)
    message = getattr(diagnosis, "message_primary", None) or str(driver)
    line = " ".join(message.split("\nDETAIL:")[0].split())
    return with_hint(f"{sqlstate(original) or type(driver).__name__}: {line}")


class _Session:
    """The session that runs the change, below SQLAlchemy."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection.connection
        driver: Any = self._connection.driver_connection
        self._driver = driver
        self.autocommit: bool = connection.dialect.detect_autocommit_setting(
            self._connection.dbapi_connection  # type: ignore[arg-type] # it is connected
        )

    @property
    def in_transaction(self) -> bool:
        if hasattr(self._driver, "is_in_transaction"):
            return bool(self._driver.is_in_transaction())
        return bool(self._driver.info.transaction_status)

    def fetch(self, sql: str) -> list[Any]:
        cursor = self._connection.cursor()
        try:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            cursor.close()
