"""The connection as an operation sees it: outside of the revision's transaction."""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from alembic.operations import Operations
from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.util import await_only

from kingpost.migrations.parts import repeatable

_OWN = {"kingpost_bookkeeping": True}
_COLON = re.compile(r"(?<![:\w\\]):(?=\w)")  # what text() would take for a parameter


class Online:
    """Sends what an operation needs, or writes it down with `alembic upgrade --sql`.

    Args:
        operations: of the revision that runs.
    """

    def __init__(self, operations: Operations) -> None:
        self.operations = operations
        self.context = operations.get_context()

    @property
    def offline(self) -> bool:
        """True with `--sql`, when there is no database to look into."""
        return self.context.as_sql

    @property
    def connection(self) -> Connection:
        """The connection of the migration.

        Raises:
            RuntimeError: offline.
        """
        if self.offline or self.context.connection is None:
            raise RuntimeError("there is no connection with --sql")
        return self.context.connection

    @property
    def version(self) -> int:
        """The major version of the server; 0 offline."""
        found = None if self.offline else self.connection.dialect.server_version_info
        return int(found[0]) if found else 0

    def run(self, statement: str, **options: Any) -> list[Row[Any]]:
        """Sends a statement without parameters; offline it is written.

        Args:
            statement: one SQL statement.
            **options: execution options of SQLAlchemy, which observers see.

        Returns:
            Its rows; none offline.
        """
        if self.offline:
            self.context.impl.static_output(f"{statement};")
            return []
        result = self.connection.execute(text(escaped(statement)), execution_options=options)
        return list(result) if result.returns_rows else []

    def probe(self, statement: str) -> None:
        """Sends a statement that leaves nothing, such as one on a temporary table.

        Args:
            statement: one SQL statement.
        """
        self.run(statement, **_OWN)

    def rows(self, query: str, **values: Any) -> list[Row[Any]]:
        """Asks the catalog.

        Args:
            query: with parameters such as `:name`.
            **values: of the parameters.

        Returns:
            The rows; none offline, where nothing exists.
        """
        if self.offline:
            return []
        result = self.connection.execute(text(query), values, execution_options=_OWN)
        return list(result) if result.returns_rows else []

    def name(self, name: str, schema: str | None = None) -> str:
        """A name as it stands in SQL.

        Args:
            name: of a table, an index or a column.
            schema: its schema, if it is not found without.

        Returns:
            The name, quoted where needed.
        """
        preparer = self.operations.impl.dialect.identifier_preparer
        return ".".join(preparer.quote(part) for part in (schema, name) if part)

    def sleep(self, seconds: float) -> None:
        """Waits, and lets other tasks of the event loop work.

        Args:
            seconds: how long.
        """
        if self.connection.dialect.is_async:
            await_only(asyncio.sleep(seconds))
        else:
            time.sleep(seconds)

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Lifts the time limits of the session for a statement that nobody waits for.

        Building an index and validating a constraint wait for others and take as long as the
        table is large, but let everybody read and write meanwhile; a time limit would only leave
        an INVALID index behind. The limits are put back afterwards.
        """
        limits = ["lock_timeout", "statement_timeout"]
        limits += ["transaction_timeout"] if self.version >= 17 else []
        before = self._settings(limits)
        self._set(dict.fromkeys(before, "0"))
        try:
            yield
        finally:
            with suppress(SQLAlchemyError):  # the connection is lost: so are its settings
                self._set(before)

    def _settings(self, names: list[str]) -> dict[str, str]:
        found = self.rows("SELECT " + ", ".join(f"current_setting('{name}')" for name in names))
        return dict(zip(names, found[0], strict=True)) if found else {}

    def _set(self, values: dict[str, str]) -> None:
        calls = [f"set_config('{name}', '{value}', false)" for name, value in values.items()]
        if calls:
            self.rows("SELECT " + ", ".join(calls))

    @contextmanager
    def limited(self, **limits: str) -> Iterator[None]:
        """Sets settings of the session for a while.

        Args:
            **limits: names and values, such as `lock_timeout="1s"`.
        """
        before = self._settings(list(limits))
        self._set(limits)
        try:
            yield
        finally:
            with suppress(SQLAlchemyError):
                self._set(before)


@contextmanager
def online(operations: Operations) -> Iterator[Online]:
    """Leaves the transaction of the revision: what it has done so far is committed.

    Inside, every statement is a transaction of its own. So that a revision which is run again
    after a crash finds what is missing, everything in here looks into the catalog first.

    Args:
        operations: of the revision that runs.

    Yields:
        The connection, in autocommit.
    """
    database = Online(operations)
    outside = not database.offline and (
        database.connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
    )
    with (
        nullcontext() if outside else database.context.autocommit_block(),
        nullcontext() if database.offline else repeatable(database.connection),
    ):
        yield database


def escaped(sql: str) -> str:
    """SQL in which `text()` finds no parameters.

    Args:
        sql: such as `name <> ':x'`.

    Returns:
        The SQL with a backslash before such colons.
    """
    return _COLON.sub(r"\\:", sql)
