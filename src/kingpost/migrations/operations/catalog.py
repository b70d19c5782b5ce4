"""What the catalog of PostgreSQL says about tables, indexes, constraints and columns."""

import hashlib
from dataclasses import dataclass
from typing import Any

from kingpost.migrations.operations.errors import OperationError
from kingpost.migrations.operations.online import Online

_NAME_BYTES = 63
_SAME_SCHEMA = "(SELECT relnamespace FROM pg_class WHERE oid = to_regclass(:table))"

_INDEX = f"""
    SELECT c.oid::bigint AS oid, c.relkind::text AS kind, i.indrelid = to_regclass(:table) AS ours,
           i.indisvalid AS valid, i.indisunique AS is_unique, con.conname::text AS con,
           substring(pg_get_indexdef(i.indexrelid) FROM ' (USING .*)$') AS tail
    FROM pg_class c
    LEFT JOIN pg_index i ON i.indexrelid = c.oid
    LEFT JOIN pg_constraint con ON con.conindid = c.oid AND con.contype IN ('p', 'u', 'x')
    WHERE c.relname = :name AND c.relnamespace = {_SAME_SCHEMA}
"""  # noqa: S608 - nothing but constants

_CONSTRAINT = """
    SELECT c.contype::text AS type, c.convalidated AS valid,
           replace(pg_get_constraintdef(c.oid), ' NOT VALID', '') AS definition,
           (SELECT array_agg(a.attname::text ORDER BY k.n)
            FROM unnest(c.conkey) WITH ORDINALITY k(num, n)
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num) AS columns,
           c.confrelid::bigint AS referent, c.confdeltype::text AS on_delete,
           c.confupdtype::text AS on_update,
           (SELECT array_agg(a.attname::text ORDER BY k.n)
            FROM unnest(c.confkey) WITH ORDINALITY k(num, n)
            JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.num) AS remote
    FROM pg_constraint c WHERE c.conrelid = to_regclass(:table) AND c.conname = :name
"""

_COLUMN = """
    SELECT a.attnotnull AS not_null, format_type(a.atttypid, a.atttypmod) AS type,
           pg_get_expr(d.adbin, d.adrelid) AS "default"
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = to_regclass(:table) AND a.attname = :name AND NOT a.attisdropped
"""

_PARTITIONS = """
    SELECT c.oid::bigint AS oid, c.relname::text AS name, n.nspname::text AS schema
    FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE h.inhparent = to_regclass(:table) AND c.relkind IN ('r', 'p') ORDER BY c.relname
"""


@dataclass(frozen=True)
class Index:
    """An index that exists; `tail` is its definition from USING on."""

    oid: int
    kind: str
    valid: bool
    is_unique: bool
    con: str | None
    tail: str


def index(database: Online, name: str, table: str) -> Index | None:
    """Looks for an index.

    Args:
        database: the connection.
        name: of the index, as it is.
        table: its table, as it stands in SQL.

    Returns:
        The index, or None.

    Raises:
        OperationError: the name belongs to something else.
    """
    found = database.rows(_INDEX, name=name, table=table)
    if not found:
        return None
    row = found[0]
    if not row.ours:
        raise OperationError(f"{name} is no index of {table}: choose another name")
    return Index(row.oid, row.kind, row.valid, row.is_unique, row.con, row.tail)


def constraint(database: Online, name: str, table: str) -> Any | None:
    """Looks for a constraint.

    Args:
        database: the connection.
        name: of the constraint, as it is.
        table: its table, as it stands in SQL.

    Returns:
        A row with type, valid, definition, columns, referent, remote, on_delete, on_update.
    """
    found = database.rows(_CONSTRAINT, name=name, table=table)
    return found[0] if found else None


def column(database: Online, name: str, table: str) -> Any | None:
    """Looks for a column.

    Args:
        database: the connection.
        name: of the column, as it is.
        table: its table, as it stands in SQL.

    Returns:
        A row with not_null, type and default, or None.
    """
    found = database.rows(_COLUMN, name=name, table=table)
    return found[0] if found else None


def existing_column(database: Online, name: str, table: str) -> Any | None:
    """Looks for a column that has to exist.

    Args:
        database: the connection.
        name: of the column, as it is.
        table: its table, as it stands in SQL.

    Returns:
        As `column`; None only offline.

    Raises:
        OperationError: there is no such column.
    """
    found = column(database, name, table)
    if found is None and not database.offline:
        raise OperationError(f"{table} has no column {name}: correct the name, or add it first")
    return found


def is_partitioned(database: Online, table: str) -> bool:
    """Whether a table has partitions instead of rows.

    Args:
        database: the connection.
        table: as it stands in SQL.

    Returns:
        False offline.

    Raises:
        OperationError: there is no such table.
    """
    query = "SELECT relkind::text FROM pg_class WHERE oid = to_regclass(:table)"
    found = database.rows(query, table=table)
    if not found and not database.offline:
        raise OperationError(f"there is no table {table}: correct the name")
    return bool(found) and found[0][0] == "p"


def partitions(database: Online, table: str) -> list[Any]:
    """The partitions of a table, not those of its partitions.

    Args:
        database: the connection.
        table: as it stands in SQL.

    Returns:
        Rows with oid, name and schema.
    """
    return database.rows(_PARTITIONS, table=table)


def shortened(name: str) -> str:
    """A name that PostgreSQL does not cut off.

    Args:
        name: of any length.

    Returns:
        At most 63 bytes; what is longer ends in a hash of it all.
    """
    if len(name.encode()) <= _NAME_BYTES:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    kept = name.encode()[: _NAME_BYTES - 9].decode(errors="ignore")
    return f"{kept}_{digest}"
