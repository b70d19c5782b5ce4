"""What each statement does is seen in a transaction of the test, which is rolled back."""

from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from tests.kingpost.migrations.operations.support import (
    EVERYTHING,
    FINISH,
    TABLES,
    Revisions,
    changes,
)

from kingpost.testing.databases import execute

ROWS = "SELECT coalesce(sum(seq_tup_read), 0)::bigint FROM pg_stat_xact_user_tables"
LOCKS = (
    "SELECT DISTINCT mode FROM pg_locks WHERE pid = pg_backend_pid() AND granted"
    " AND relation IN ('people'::regclass, 'groups'::regclass)"
)
BLOCKING = {"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"}


@dataclass
class Seen:
    sql: str
    rows: int
    blocking: set[str]


def _watch(engine: Any, seen: list[Seen]) -> None:
    before: list[int] = []

    def ask(cursor: Any, query: str) -> Any:
        cursor.execute(query)
        return cursor.fetchall()

    def look(cursor: Any, sql: str, rows: int) -> None:
        looked = ask(cursor, ROWS)[0][0] - rows
        seen.append(Seen(sql, looked, {row[0] for row in ask(cursor, LOCKS)} & BLOCKING))

    def start(connection: Any, _c: Any, sql: str, _p: Any, context: Any, _m: Any) -> None:
        if not changes(sql, context) or "CONCURRENTLY" in sql:
            return
        with _own(connection) as cursor:
            if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
                before.append(ask(cursor, ROWS)[0][0])
            elif not context.execution_options.get("kingpost_batch"):
                cursor.execute("BEGIN")
                rows = ask(cursor, ROWS)[0][0]
                cursor.execute(sql)
                look(cursor, sql, rows)
                cursor.execute("ROLLBACK")

    def end(connection: Any, _c: Any, sql: str, _p: Any, _x: Any, _m: Any) -> None:
        if before:
            with _own(connection) as cursor:
                look(cursor, sql, before.pop())

    event.listen(engine.sync_engine, "before_cursor_execute", start)
    event.listen(engine.sync_engine, "after_cursor_execute", end)


def _own(connection: Any) -> Any:
    return closing(connection.connection.dbapi_connection.cursor())


def test_no_row_is_looked_at_under_a_lock_that_keeps_somebody_waiting(
    revisions: Revisions, empty_database_url: str
) -> None:
    _locks_briefly(revisions, empty_database_url)


def test_nor_on_16(revisions: Revisions, url_16: str) -> None:
    _locks_briefly(revisions, url_16)


def _locks_briefly(revisions: Revisions, url: str) -> None:
    execute(url, *TABLES)
    revisions.add("pass")
    revisions.up(url)
    revisions.add(*EVERYTHING)
    revisions.add(FINISH)
    seen: list[Seen] = []

    revisions.up(url, kingpost_observe=lambda engine: _watch(engine, seen))

    assert [one for one in seen if one.rows and one.blocking] == []
    assert {"VALIDATE" in one.sql for one in seen if one.rows} == {True}  # somebody looked
    assert [one for one in seen if "LOCK TABLE" in one.sql and one.blocking]  # and locked
