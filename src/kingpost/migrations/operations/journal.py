"""Where a backfill writes down how far it is: the table `kingpost_migration_steps`.

A row lives while its revision is not finished. What Alembic calls when it stamps a revision takes
its rows away, in the transaction of the stamp: a downgrade and another upgrade begin anew.
"""

import json
import sys
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from kingpost.migrations.operations.online import Online

TABLE = "kingpost_migration_steps"
DONE = "done"
_OWN = {"kingpost_bookkeeping": True}


def table(database: Online) -> str:
    """The journal's name, in the schema of Alembic's version table.

    Args:
        database: the connection.

    Returns:
        The name as it stands in SQL.
    """
    return database.name(TABLE, database.context.version_table_schema)


def prepare(database: Online) -> None:
    """Makes the journal if there is none yet.

    Args:
        database: the connection, outside of a transaction.
    """
    if not database.rows("SELECT 1 WHERE to_regclass(:name) IS NOT NULL", name=table(database)):
        database.probe(
            f"CREATE TABLE IF NOT EXISTS {table(database)} ("
            "revision text, step text, cursor jsonb, rows bigint NOT NULL DEFAULT 0, "
            "state text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now(), "
            "PRIMARY KEY (revision, step))"
        )


def start(database: Online, revision: str, step: str) -> tuple[list[str] | None, int, str]:
    """Looks where a step is, and begins it if it is new.

    Args:
        database: the connection, outside of a transaction.
        revision: the one that runs.
        step: what tells it from the other steps of the revision.

    Returns:
        The last key that was done, the rows changed so far, and the state.
    """
    prepare(database)
    values = {"revision": revision, "step": step}
    database.rows(
        f"INSERT INTO {table(database)} (revision, step, state) "  # noqa: S608 - a quoted name
        "VALUES (:revision, :step, 'pass 1') ON CONFLICT DO NOTHING",
        **values,
    )
    query = (
        f"SELECT cursor::text AS cursor, rows, state FROM {table(database)} "  # noqa: S608 - as above
        "WHERE revision = :revision AND step = :step"
    )
    found = database.rows(query, **values)[0]
    return json.loads(found.cursor or "null"), int(found.rows), str(found.state)


def turn(database: Online, revision: str, step: str, state: str) -> None:
    """Goes to the next state of a step, from the first row on.

    Args:
        database: the connection, outside of a transaction.
        revision: the one that runs.
        step: what tells it from the other steps of the revision.
        state: `pass 2`, `done` and the like.
    """
    database.rows(
        f"UPDATE {table(database)} SET state = :state, cursor = NULL, updated_at = now() "  # noqa: S608 - a quoted name
        "WHERE revision = :revision AND step = :step",
        revision=revision,
        step=step,
        state=state,
    )


def forget(*, ctx: MigrationContext, step: Any, **_: Any) -> None:
    """Takes the rows of a revision away when it is stamped; for Alembic's `on_version_apply`.

    Args:
        ctx: supplied by Alembic.
        step: the revision that was applied or taken back.
    """
    if ctx.as_sql or ctx.connection is None:
        return
    schema = ctx.version_table_schema
    name = f"{schema}.{TABLE}" if schema else TABLE
    found = text("SELECT 1 WHERE to_regclass(:name) IS NOT NULL")
    if ctx.connection.execute(found, {"name": name}, execution_options=_OWN).first():
        ids = {"revision": step.up_revision_id}
        drop = text(f"DELETE FROM {name} WHERE revision = :revision")  # noqa: S608 - Alembic's own schema
        ctx.connection.execute(drop, ids, execution_options=_OWN)


def running_revision() -> str:
    """The revision whose `upgrade` or `downgrade` is running.

    Alembic does not tell an operation; the file of the revision, which calls it, does.

    Returns:
        The id of the revision; nothing for an operation that no revision calls.
    """
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        names = frame.f_globals
        if isinstance(names.get("revision"), str) and "down_revision" in names:
            return str(names["revision"])
    return ""
