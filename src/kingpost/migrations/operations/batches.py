"""One batch of a backfill: a range of the primary key, changed and committed with its end."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kingpost.database import drivers
from kingpost.migrations.operations import journal, throttle
from kingpost.migrations.operations.errors import OperationError
from kingpost.migrations.operations.online import Online, escaped

_RETRIED = {"55P03", "40P01", "40001"}  # lock not available, deadlock, serialization failure
_ATTEMPTS = 50
_KEY = """
    SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type
    FROM pg_index i CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY k(num, n)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num
    WHERE i.indrelid = to_regclass(:table) AND i.indisprimary AND k.n <= i.indnkeyatts
    ORDER BY k.n
"""


@dataclass(frozen=True)
class Filling:
    """What is filled: columns with their SQL, in rows that still need it."""

    table: str
    values: Mapping[str, str]
    where: str
    key: tuple[tuple[str, str], ...] = field(default=())

    def step(self) -> str:
        """Its name in the journal; another one as soon as anything of it changes."""
        told = json.dumps([self.table, list(self.values.items()), self.where])
        digest = hashlib.sha256(told.encode()).hexdigest()[:12]
        return f"backfill {self.table} ({', '.join(self.values)}) {digest}"

    @property
    def columns(self) -> str:
        """The primary key, as a list in SQL."""
        return ", ".join(name for name, _ in self.key)

    def after(self, word: str, sign: str) -> str:
        """A comparison of the key with parameters.

        Args:
            word: the parameters are `<word>0`, `<word>1` …, texts.
            sign: such as `>`.
        """
        given = [
            f"CAST(CAST(:{word}{n} AS text) AS {kind})" for n, (_, kind) in enumerate(self.key)
        ]
        return f"({self.columns}) {sign} ({', '.join(given)})"


def primary_key(database: Online, table: str) -> tuple[tuple[str, str], ...]:
    """The primary key, along which a table is filled.

    Args:
        database: the connection.
        table: as it stands in SQL.

    Returns:
        Names as in SQL, and types.

    Raises:
        OperationError: there is none.
    """
    found = database.rows(_KEY, table=table)
    if not found:
        raise OperationError(f"{table} has no primary key to fill it along: add one first")
    return tuple((database.name(row.name), row.type) for row in found)


def end_of_batch(
    database: Online, filling: Filling, cursor: list[str] | None, size: int
) -> tuple[list[str], int] | None:
    """Looks for the last key of the next batch.

    Args:
        database: the connection, outside of a transaction.
        filling: what is filled.
        cursor: the last key that is done; None at the beginning.
        size: rows to go on.

    Returns:
        The key and the number of rows up to it; None at the end of the table.
    """
    after = f"WHERE {filling.after('c', '>')}" if cursor else ""
    keys = [f"{name}::text" for name, _ in filling.key]
    order = ", ".join(f"batch.{name} DESC" for name, _ in filling.key)  # not the text of it
    query = (
        f"SELECT {', '.join(keys)}, count(*) OVER () FROM (SELECT {filling.columns} "  # noqa: S608 - quoted names
        f"FROM {filling.table} {after} ORDER BY {filling.columns} LIMIT {size}) batch "
        f"ORDER BY {order} LIMIT 1"
    )
    found = database.rows(query, **_parameters("c", cursor))
    if not found:
        return None
    parts: list[Any] = list(found[0])
    return [str(part) for part in parts[:-1]], int(parts[-1])


def change(
    database: Online, filling: Filling, revision: str, cursor: list[str] | None, end: list[str]
) -> tuple[int, int]:
    """Changes the rows of a batch that need it, and writes the cursor, in one transaction.

    The rows are locked in the order of the key, as FOR NO KEY UPDATE does: rows that point to
    them can be written meanwhile.

    Args:
        database: the connection, outside of a transaction.
        filling: what is filled.
        revision: the one that runs.
        cursor: the last key that is done; None at the beginning.
        end: the last key of this batch.

    Returns:
        How many rows were changed, and how many of them still need it.

    Raises:
        DBAPIError: a lock could not be had in many attempts, or what the SQL gives rise to.
    """
    parameters = {**_parameters("c", cursor), **_parameters("e", end)}
    values = {"revision": revision, "step": filling.step(), "cursor": json.dumps(end), **parameters}
    statement = text(_statement(database, filling, first=cursor is None))
    attempt = 0
    while True:
        try:
            done = database.connection.execute(
                statement, values, execution_options={"kingpost_batch": True}
            )
            row = done.one()
            return int(row[0]), int(row[1])
        except DBAPIError as error:
            attempt += 1
            if drivers.sqlstate(error) not in _RETRIED or attempt >= _ATTEMPTS:
                raise
            database.sleep(throttle.pause(attempt))


def _statement(database: Online, filling: Filling, *, first: bool) -> str:
    """One statement is one transaction: UPDATE of the rows and of the journal."""
    ranges = [] if first else [filling.after("c", ">")]
    ranges += [filling.after("e", "<="), ""]
    return (
        f"WITH changed AS ({update(filling, ' AND '.join(ranges))}"  # noqa: S608 - quoted names
        f" RETURNING ({escaped(filling.where)}) AS still), "
        "counted AS (SELECT count(*) AS rows, count(*) FILTER (WHERE still) AS still FROM changed) "
        f"UPDATE {journal.table(database)} s SET cursor = CAST(:cursor AS jsonb), "
        "rows = s.rows + counted.rows, updated_at = now() FROM counted "
        "WHERE s.revision = :revision AND s.step = :step RETURNING counted.rows, counted.still"
    )


def update(filling: Filling, range_of: str = "") -> str:
    """The statement that fills.

    Args:
        filling: what is filled.
        range_of: a condition that ends in AND.

    Returns:
        The SQL, with colons escaped for `text()`.
    """
    sets = ", ".join(f"{name} = {escaped(sql)}" for name, sql in filling.values.items())
    return f"UPDATE {filling.table} SET {sets} WHERE {range_of}({escaped(filling.where)})"  # noqa: S608 - the user's own SQL


def _parameters(word: str, key: list[str] | None) -> dict[str, Any]:
    return {f"{word}{n}": part for n, part in enumerate(key or ())}
