"""The SQL of the audit: rows from JSON, rows from a DELETE, and the protection of the table."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Insert,
    Numeric,
    String,
    Table,
    Uuid,
    bindparam,
    cast,
    column,
    delete,
    func,
    insert,
    literal,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect

_COLUMNS = ("id", "actor", "request_id", "action", "entity", "entity_id", "changes")

# A UUIDv7 (RFC 9562, 5.7) in SQL; PostgreSQL has uuidv7() only from 18 on.
_UUID7 = (
    "encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing "
    "substring(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) "
    "from 1 for 6), 52, 1), 53, 1), 'hex')::uuid"
)


@lru_cache(maxsize=32)
def insert_rows(audit: Table, dialect: Dialect) -> tuple[str, bool]:
    """One INSERT for any number of audit rows, compiled once instead of for each transaction.

    Args:
        audit: the audit table.
        dialect: of the engine that sends it.

    Returns:
        SQL with the parameter `entries`, a JSON array of the rows as text; and whether the driver
        takes its parameters by position.
    """
    compiled = _insert_rows(audit).compile(dialect=dialect)
    return str(compiled), bool(dialect.positional)


def _insert_rows(audit: Table) -> Insert:
    entries = func.jsonb_to_recordset(bindparam("entries", type_=JSONB)).table_valued(
        column("id", Uuid),
        *(column(name, String) for name in _COLUMNS[1:-1]),
        column("changes", JSONB),
    )
    rows = entries.render_derived(name="entry", with_types=True)
    source = select(*(rows.c[name] for name in _COLUMNS))
    return insert(audit).from_select(_COLUMNS, source, include_defaults=False)


def delete_and_record(
    table: Table,
    *,
    audit: Table,
    shown: Sequence[ColumnElement[Any]],
    key: Sequence[ColumnElement[Any]],
    conditions: Sequence[ColumnElement[bool]],
    who: dict[str, str | None],
) -> Insert:
    """A DELETE whose rows become audit rows in the same statement.

    Args:
        table: what is deleted from.
        audit: the audit table.
        shown: the columns that the audit rows may show.
        key: the primary key.
        conditions: which rows.
        who: the columns `actor` and `request_id`.

    Returns:
        `WITH gone AS (DELETE … RETURNING …) INSERT INTO audit SELECT …`; its row count is
        the number of deleted rows.
    """
    columns = list(dict.fromkeys([*key, *shown]))
    gone = delete(table).where(*conditions).returning(*columns).cte("gone")
    pairs = [part for c in shown for part in (literal(c.key, String), _shown(gone.c[c.name]))]
    parts = [cast(gone.c[c.name], String) for c in key]
    source = select(
        literal_column(_UUID7, Uuid),
        literal(who["actor"], String),
        literal(who["request_id"], String),
        literal("delete", String),
        literal(table.name, String),
        func.concat_ws(",", *parts),
        func.jsonb_strip_nulls(func.jsonb_build_object(*pairs)),
    ).select_from(gone)
    return insert(audit).from_select(_COLUMNS, source, include_defaults=False)


def _shown(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """JSON numbers lose the digits of a NUMERIC, so it is shown as text."""
    return cast(value, String) if isinstance(value.type, Numeric) else value


def audit_protection_sql(table: str) -> list[str]:
    """Makes the database itself refuse to change or remove audit rows, for a migration.

    Args:
        table: the audit table.

    Returns:
        Statements to execute one by one.
    """
    return [
        f"""CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'insufficient_privilege',
        MESSAGE = 'the table ' || TG_TABLE_NAME || ' is append-only, ' || TG_OP || ' is refused',
        HINT = 'Audit rows are removed by a migration that drops the trigger first.';
END $$""",
        f"""CREATE TRIGGER {table}_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()""",
    ]


def audit_protection_drop_sql(table: str) -> list[str]:
    """Takes back `audit_protection_sql`, for the downgrade.

    Args:
        table: the audit table.

    Returns:
        Statements to execute one by one.
    """
    return [
        f"DROP TRIGGER {table}_append_only ON {table}",
        f"DROP FUNCTION {table}_append_only()",
    ]
