"""There and back again: whether the schema and the data are what they were."""

import difflib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from kingpost.migrations.rehearsal.server import Server
from kingpost.migrations.rehearsal.snapshots import OWN_TABLES
from kingpost.migrations.rehearsal.splitting import split
from kingpost.migrations.rehearsal.wording import counted

Fetch = Callable[[str], list[Any]]

_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname),
       CASE WHEN n.nspname = 'public' THEN '' ELSE n.nspname || '.' END || c.relname,
       (SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_index i
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey)
         WHERE i.indrelid = c.oid AND i.indisprimary)::text,
       (SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)::text
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_'
   AND n.nspname <> 'information_schema'
   AND c.relname NOT IN ('alembic_version', 'kingpost_migration_steps')
 ORDER BY 2
"""

_COUNT = "SELECT count(*) FROM {}"

SchemaResult = Literal["equal", "equal but for the order of columns", "different"]


@dataclass(frozen=True, slots=True)
class _Table:
    quoted: str
    shown: str
    key: tuple[str, ...]
    columns: tuple[str, ...]


class Data:
    """The rows of all tables as they are now, to be compared with those of later.

    They are kept as text in temporary tables, which depend on no type of the user, and which
    neither pg_dump nor a change of the schema sees.

    Args:
        fetch: runs a query, always in the same session.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._tables = _tables(fetch)
        for number, table in enumerate(self._tables):
            fetch(f"CREATE TEMPORARY TABLE kingpost_{number} AS {_as_text(table, table)}")

    def lost(self) -> tuple[str, ...]:
        """What is not what it was: rows that are gone, and values that are others or gone.

        A value that came where there was none is no loss, nor is a row that came on top.

        Returns:
            Tables and columns, such as `users.email` or `users (12 rows)`.
        """
        now = {table.shown: table for table in _tables(self._fetch)}
        found: list[str] = []
        for number, table in enumerate(self._tables):
            found += self._lost_of(f"pg_temp.kingpost_{number}", table, now.get(table.shown))
        return tuple(found)

    def _lost_of(self, kept: str, table: _Table, now: _Table | None) -> list[str]:
        rows = self._fetch(_COUNT.format(kept))[0][0]
        if not rows:
            return []
        if now is None or not set(table.key) <= set(now.columns):
            return [f"{table.shown} ({counted(rows, 'row')})"]
        names = [f"c{number}" for number in range(len(table.columns))]
        if table.key:
            gone, *changed = self._fetch(_by_key(kept, table, now, names))[0]
        else:
            there = self._fetch(_COUNT.format(now.quoted))[0][0]
            gone = max(0, rows - there)
            changed = [self._fetch(_by_value(kept, table, now, it))[0][0] for it in names]
        told = [f"{table.shown} ({counted(gone, 'row')})"] if gone else []
        lost = [it for it, count in zip(table.columns, changed, strict=True) if count]
        return told + ([] if gone and not table.key else [f"{table.shown}.{it}" for it in lost])


def _tables(fetch: Fetch) -> list[_Table]:
    return [
        _Table(quoted, shown, tuple(json.loads(key or "[]")), tuple(json.loads(columns or "[]")))
        for quoted, shown, key, columns in fetch(_TABLES)
    ]


def _as_text(table: _Table, now: _Table) -> str:
    """The columns of a table as text, those that are no more as NULL, and its key."""
    listed = [
        f"{f't.{_quoted(it)}::text' if it in now.columns else 'NULL'} AS c{number}"
        for number, it in enumerate(table.columns)
    ]
    key = ", ".join(f"t.{_quoted(it)}::text" for it in table.key)
    listed.append(f"ROW({key})::text AS key" if key else "NULL AS key")
    return f"SELECT {', '.join(listed)} FROM {now.quoted} t"  # noqa: S608 - quoted names


def _by_key(kept: str, table: _Table, now: _Table, names: list[str]) -> str:
    counts = ["count(*) FILTER (WHERE n.key IS NULL)"] + [
        f"count(*) FILTER (WHERE n.key IS NOT NULL AND b.{it} IS NOT NULL "
        f"AND b.{it} IS DISTINCT FROM n.{it})"
        for it in names
    ]
    there = _as_text(table, now)
    joined = f"{kept} b LEFT JOIN ({there}) n ON n.key = b.key"
    return f"SELECT {', '.join(counts)} FROM {joined}"  # noqa: S608 - quoted names


def _by_value(kept: str, table: _Table, now: _Table, name: str) -> str:
    """Values that there are less of than before; which row had them cannot be told."""
    before = f"SELECT {name} FROM {kept} WHERE {name} IS NOT NULL"  # noqa: S608 - names of ours
    after = f"SELECT {name} FROM ({_as_text(table, now)}) n"  # noqa: S608 - quoted names
    return _COUNT.format(f"({before} EXCEPT ALL {after}) missing")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def dump(server: Server, url: str) -> str:
    r"""The schema of a database, as pg_dump of the server's version writes it.

    Args:
        server: where it is.
        url: of the database.

    Returns:
        The statements without what tells nothing: comments, the key of `\restrict`.
    """
    ours = [f"--exclude-table=*.{name}" for name in OWN_TABLES]
    return _told(server.run("pg_dump", url, "-s", "--no-owner", "--no-privileges", *ours))


def _told(written: str) -> str:
    kept = [
        line.rstrip()
        for line in written.splitlines()
        if line.strip() and not re.match(r"--|\\(un)?restrict\b", line)
    ]
    return "\n".join(kept)


def compare(before: str, after: str) -> tuple[SchemaResult, str]:
    """Compares two dumps.

    Args:
        before: of the schema before the change.
        after: of that after the way back.

    Returns:
        How they differ, and a unified diff of it.
    """
    if before == after or _statements(before) == _statements(after):
        return "equal", ""
    difference = "\n".join(
        difflib.unified_diff(
            before.splitlines(), after.splitlines(), "before", "there and back", lineterm="", n=2
        )
    )
    if _unordered(before) == _unordered(after):
        return "equal but for the order of columns", difference
    return "different", difference


def _statements(dump: str) -> list[str]:
    return sorted(piece.sql for piece in split(dump, "dump"))


def _unordered(dump: str) -> list[str]:
    """The statements, each CREATE TABLE with its lines sorted."""
    found = []
    for sql in _statements(dump):
        lines = sql.split("\n")
        if sql.startswith(("CREATE TABLE", "CREATE UNLOGGED TABLE", "CREATE FOREIGN TABLE")):
            lines = sorted(line.rstrip(",") for line in lines)
        found.append("\n".join(lines))
    return found
