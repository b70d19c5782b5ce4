"""The database before the change: its schema, and rows in every table."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from kingpost.migrations.rehearsal.filling import fill
from kingpost.migrations.rehearsal.server import Server, write_scripts
from kingpost.migrations.rehearsal.sessions import Session

OwnFill = Callable[[Connection, int], Any]

_TO_ANALYZE = """
SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ')
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""


@dataclass(frozen=True, slots=True)
class Rows:
    """How the tables get their rows.

    Args:
        count: in each table.
        edges: whether NULLs and edge values are among them.
        function: of the user, called first with a connection and the count.
    """

    count: int
    edges: bool = True
    function: OwnFill | None = None


@dataclass(slots=True)
class Seeded:
    """What the tables were given.

    Args:
        tables: that have generated rows.
        failed: that could not be given any, with the reason.
    """

    tables: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)


def load(server: Server, url: str, scripts: Mapping[str, str]) -> None:
    """Runs scripts with psql.

    Args:
        server: where the database is.
        url: of the database.
        scripts: their texts by name, in order.

    Raises:
        RehearsalError: a statement failed; the message says where.
    """
    if not any(text.strip() for text in scripts.values()):
        return
    with tempfile.TemporaryDirectory(prefix="kingpost-rehearsal-") as folder:
        arguments = write_scripts(Path(folder), scripts)
        server.run("psql", url, *arguments, folder=Path(folder))


def restore(server: Server, url: str, file: Path) -> None:
    """Loads a file of pg_dump, in any of its formats.

    Args:
        server: where the database is.
        url: of the database, which is empty.
        file: a script, or an archive.

    Raises:
        RehearsalError: it cannot be loaded; the message says why.
    """
    with file.open("rb") as opened:
        archive = opened.read(5) == b"PGDMP"
    path = str(file.resolve())
    if archive:
        name = make_url(url).database or ""
        server.run("pg_restore", url, "--no-owner", "--no-acl", "--exit-on-error", "-d", name, path)
    else:
        server.run("psql", url, "-Xq", "-v", "ON_ERROR_STOP=1", "-f", path)


def seed(session: Session, rows: Rows) -> Seeded:
    """Fills the tables that have no rows, and counts those of all.

    Args:
        session: of the database.
        rows: how.

    Returns:
        What was generated.
    """
    function = rows.function
    if function is not None:
        session.transact(lambda connection: function(connection, rows.count))
    filled = session.transact(lambda connection: fill(connection, rows.count, edges=rows.edges))
    analyze(session)
    return Seeded(filled.tables, dict(filled.failed))


def analyze(session: Session) -> None:
    """Counts the rows of all tables, so that plans are those of a database in use.

    Args:
        session: of the database.
    """
    if tables := session.fetch(_TO_ANALYZE)[0][0]:
        try:
            session.fetch(f"ANALYZE {tables}")
        except DBAPIError:  # an index on an expression that fails for some row
            for table in tables.split(", "):
                _analyze_one(session, table)


def _analyze_one(session: Session, table: str) -> None:
    try:
        session.fetch(f"ANALYZE {table}")
    except DBAPIError:
        return
