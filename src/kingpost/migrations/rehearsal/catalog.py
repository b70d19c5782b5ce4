"""The tables of a database and what their columns may hold, read from its catalog."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from kingpost.migrations.rehearsal.relations import (
    Check,
    Column,
    ForeignKey,
    Key,
    Relation,
    Type,
)

_TYPES = """
    SELECT t.oid, t.typname, t.typtype::text AS typtype, t.typbasetype, t.typtypmod, t.typelem,
           t.typrelid, t.typsubscript::text LIKE 'array%' AS is_array,
           pg_catalog.format_type(t.oid, NULL) AS shown,
           (SELECT rngsubtype FROM pg_catalog.pg_range WHERE rngtypid = t.oid) AS subtype,
           (SELECT rngtypid FROM pg_catalog.pg_range WHERE rngmultitypid = t.oid) AS range,
           (SELECT count(*) FROM pg_catalog.pg_enum WHERE enumtypid = t.oid) AS labels,
           (SELECT array_to_json(array_agg(pg_catalog.pg_get_constraintdef(c.oid)))
            FROM pg_catalog.pg_constraint c WHERE c.contypid = t.oid AND c.contype = 'c') AS checks
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
"""

_COLUMNS = """
    SELECT a.attrelid, a.attname, quote_ident(a.attname) AS quoted, a.attnum, a.atttypid,
           a.atttypmod,
           pg_catalog.format_type(a.atttypid, a.atttypmod) AS shown, NOT a.attnotnull AS nullable,
           a.attidentity::text AS identity, a.attgenerated::text AS generated,
           pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS default_value
    FROM pg_catalog.pg_attribute a
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = ANY(ARRAY[{oids}]::oid[])
    ORDER BY a.attrelid, a.attnum
"""

_CONSTRAINTS = """
    SELECT c.conrelid, c.conname, c.contype::text AS kind, c.confrelid,
           c.confmatchtype::text AS match,
           array_to_json(c.conkey) AS own, array_to_json(c.confkey) AS far,
           pg_catalog.pg_get_expr(c.conbin, c.conrelid) AS condition
    FROM pg_catalog.pg_constraint c
    WHERE c.contype IN ('c', 'f') AND c.conparentid = 0
      AND c.conrelid = ANY(ARRAY[{oids}]::oid[])
    ORDER BY c.conname
"""

_KEYS = """
    SELECT i.indrelid, array_to_json(i.indkey::int2[]) AS own, i.indisprimary AS primary_key,
           i.indisexclusion AS exclusion, i.indpred IS NOT NULL AS partial
    FROM pg_catalog.pg_index i
    WHERE (i.indisunique OR i.indisexclusion) AND i.indrelid = ANY(ARRAY[{oids}]::oid[])
    ORDER BY NOT i.indisprimary, i.indexrelid
"""

_RELATIONS = """
    SELECT c.oid, n.nspname, c.relname, c.relkind::text AS kind, c.relispartition AS partition,
           quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS quoted,
           CASE WHEN n.nspname = 'public' THEN '' ELSE n.nspname || '.' END || c.relname AS shown
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = ANY('{kinds}'::"char"[]) AND n.nspname !~ '^pg_'
      AND n.nspname <> 'information_schema'
      AND c.relname NOT IN ('alembic_version', 'kingpost_migration_steps')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                        AND d.deptype = 'e')
    ORDER BY n.nspname, c.relname
"""


def rows_of(connection: Connection, sql: str) -> list[Any]:
    """Runs a query that has no parameters, with either driver.

    Args:
        connection: where.
        sql: the query; `%` and `:` mean themselves.

    Returns:
        Its rows.
    """
    result = connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
    return list(result) if result.returns_rows else []


def types(connection: Connection) -> dict[int, Type]:
    """All types of the database.

    Args:
        connection: to it.

    Returns:
        The types by oid.
    """
    return {row.oid: _type(row) for row in rows_of(connection, _TYPES)}


def _type(row: Any) -> Type:
    return Type(
        oid=row.oid,
        name=row.typname,
        shown=row.shown,
        kind=row.typtype,
        base=row.typbasetype,
        base_modifier=row.typtypmod,
        element=row.typelem if row.is_array else 0,
        row=row.typrelid,
        subtype=row.subtype or 0,
        range=row.range or 0,
        labels=row.labels,
        checks=tuple(_list(row.checks)),
    )


def columns_of(connection: Connection, *oids: int) -> dict[int, tuple[Column, ...]]:
    """The columns of some relations.

    Args:
        connection: to the database.
        *oids: of the relations, composite types included.

    Returns:
        The columns by oid of their relation, in order.
    """
    found: dict[int, list[Column]] = {oid: [] for oid in oids}
    for row in rows_of(connection, _COLUMNS.format(oids=",".join(map(str, oids)))):
        found[row.attrelid].append(_column(row))
    return {oid: tuple(columns) for oid, columns in found.items()}


class Composites(Mapping[int, tuple[Column, ...]]):
    """The columns of relations whose rows are values, each read when it is asked for first.

    PostgreSQL has such a type for each of its own tables, and hardly anybody uses one.

    Args:
        connection: to the database.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[int, tuple[Column, ...]] = {}

    def __getitem__(self, oid: int) -> tuple[Column, ...]:
        if oid not in self._known:
            self._known |= columns_of(self._connection, oid)
        return self._known[oid]

    def __iter__(self) -> Iterator[int]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def _column(row: Any) -> Column:
    generated = bool(row.generated)
    return Column(
        name=row.attname,
        quoted=row.quoted,
        number=row.attnum,
        type=row.atttypid,
        modifier=row.atttypmod,
        shown=row.shown,
        nullable=row.nullable,
        default="" if generated else row.default_value or "",
        identity=row.identity,
        generated=generated,
    )


def relations(connection: Connection, kinds: str = "r,p") -> tuple[Relation, ...]:
    """The relations of a user, without those of extensions and of the migrations themselves.

    Args:
        connection: to the database.
        kinds: of `pg_class.relkind`, with commas between.

    Returns:
        The relations, by schema and name.
    """
    found = rows_of(connection, _RELATIONS.format(kinds="{" + kinds + "}"))
    oids = [row.oid for row in found]
    columns = columns_of(connection, *oids)
    listed = ",".join(map(str, oids))
    keys = rows_of(connection, _KEYS.format(oids=listed))
    constraints = rows_of(connection, _CONSTRAINTS.format(oids=listed))
    targets = {row.confrelid for row in constraints if row.kind == "f"} - set(oids)
    known = columns | columns_of(connection, *targets)
    return tuple(
        Relation(
            oid=row.oid,
            quoted=row.quoted,
            shown=row.shown,
            kind=row.kind,
            partition=row.partition,
            columns=columns[row.oid],
            keys=tuple(_key(k, known) for k in keys if k.indrelid == row.oid),
            checks=tuple(
                _check(c, known) for c in constraints if c.conrelid == row.oid and c.kind == "c"
            ),
            references=_references([c for c in constraints if c.conrelid == row.oid], known),
        )
        for row in found
    )


def _key(row: Any, known: dict[int, tuple[Column, ...]]) -> Key:
    numbers = _list(row.own)
    whole = 0 not in numbers and not row.partial and not row.exclusion
    names = _names(known[row.indrelid], [number for number in numbers if number])
    return Key(names, row.primary_key, whole)


def _check(row: Any, known: dict[int, tuple[Column, ...]]) -> Check:
    return Check(row.conname, _names(known[row.conrelid], _list(row.own)), row.condition)


def _references(rows: list[Any], known: dict[int, tuple[Column, ...]]) -> tuple[ForeignKey, ...]:
    found = {
        ForeignKey(
            _names(known[row.conrelid], _list(row.own)),
            row.confrelid,
            _names(known[row.confrelid], _list(row.far)),
            full=row.match == "f",
        )
        for row in rows
        if row.kind == "f"
    }
    return tuple(sorted(found, key=lambda key: (-len(key.columns), key.columns, key.target)))


def _names(columns: tuple[Column, ...], numbers: list[int]) -> tuple[str, ...]:
    by_number = {column.number: column.name for column in columns}
    return tuple(by_number[number] for number in numbers if number in by_number)


def _list(value: Any) -> list[Any]:
    """A JSON array, which one driver gives as text and the other one as a list."""
    return (json.loads(value) if isinstance(value, str) else value) or []
