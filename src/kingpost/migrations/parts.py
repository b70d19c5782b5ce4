"""What a revision has committed before its end, and whether that can be done again."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

from kingpost.migrations.session import OWN_STATEMENT

_REPEATABLE = "kingpost_repeatable"
_WROTE = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL"
_READS = re.compile(r"\s*(SELECT|SHOW|SET|RESET|EXPLAIN)\b", re.IGNORECASE)
_LEAVES_TRACES = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)  # even if it fails


@contextmanager
def repeatable(connection: Connection) -> Iterator[None]:
    """Marks a block of statements that look into the catalog and do only what is missing.

    Whatever is committed in it may be done again when its revision is run again.

    Args:
        connection: of the migration.
    """
    before = connection.info.get(_REPEATABLE, False)
    connection.info[_REPEATABLE] = True
    try:
        yield
    finally:
        connection.info[_REPEATABLE] = before


class Parts:
    """Listens to the connection of one attempt at a revision.

    Attributes:
        plain: the last statement whose effect stays and that would be done twice; empty if none.
        online: whether something is committed that can be repeated.
    """

    def __init__(self, connection: Connection) -> None:
        self.plain = ""
        self.online = False
        self._last = ""  # statement of the transaction that is open
        self._committing = ""  # of the transaction whose COMMIT has not been answered yet
        self._running = ""  # that leaves something behind even if it fails
        event.listen(connection, "begin", self._committed)
        event.listen(connection, "before_cursor_execute", self._before)
        event.listen(connection, "after_cursor_execute", self._after)
        event.listen(connection, "commit", self._commit)
        event.listen(connection, "rollback", self._rollback)

    def ended(self, *, answered: bool) -> None:
        """Takes note of how the attempt has failed.

        Args:
            answered: whether the server told the reason, so that a COMMIT without an answer has
                not happened; of a lost connection nobody knows.
        """
        if not answered:
            self._committed()
        self._committing = ""
        self.plain = self._running or self.plain

    def _committed(self, *_: Any) -> None:
        """Something comes after the COMMIT, so it was a success."""
        self.plain = self._committing or self.plain
        self._committing = ""

    def _before(self, connection: Connection, _cursor: Any, sql: str, *_: Any) -> None:
        self._committed()
        if _autocommits(connection) and _LEAVES_TRACES.search(sql):
            if connection.info.get(_REPEATABLE, False):
                self.online = True
            else:
                self._running = sql

    def _after(
        self, connection: Connection, _cursor: Any, sql: str, _values: Any, context: Any, *_: Any
    ) -> None:
        self._running = ""
        if context.execution_options.get("kingpost_bookkeeping"):
            return
        if connection.info.get(_REPEATABLE, False):
            self.online = True
        elif not _autocommits(connection):
            self._last = sql
        elif not _READS.match(sql):
            self.plain = sql

    def _commit(self, connection: Connection) -> None:
        if _autocommits(connection) or connection.info.get(_REPEATABLE, False):
            return
        if connection.exec_driver_sql(_WROTE, execution_options=OWN_STATEMENT).scalar():
            self._committing = self._last or "a statement"
        self._last = ""

    def _rollback(self, _connection: Connection) -> None:
        self._last = ""


def _autocommits(connection: Connection) -> bool:
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
