"""What hangs on a column, and has to be made for the one that replaces it."""

from dataclasses import dataclass
from typing import Any

from kingpost.migrations.operations import catalog, probes
from kingpost.migrations.operations.errors import OperationError
from kingpost.migrations.operations.online import Online

_OTHERS = """
    SELECT pg_describe_object(d.classid, d.objid, d.objsubid) AS name
    FROM pg_depend d
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
    LEFT JOIN pg_constraint n ON d.classid = 'pg_constraint'::regclass AND n.oid = d.objid
    LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass(:table)
      AND a.attname = :column AND coalesce(c.relkind, '-') NOT IN ('i', 'S')
      AND coalesce(f.adnum, 0) <> a.attnum
      AND NOT coalesce(n.conrelid = d.refobjid AND (n.contype IN ('c', 'u', 'p', 'n')
          OR n.contype = 'f' AND (n.confrelid <> n.conrelid OR a.attnum <> ALL (n.confkey))), false)
    UNION ALL
    SELECT 'an identity or generated value' FROM pg_attribute
    WHERE attrelid = to_regclass(:table) AND attname = :column
      AND (attidentity <> '' OR attgenerated <> '')
    UNION ALL
    SELECT 'partitions' FROM pg_class
    WHERE oid = to_regclass(:table) AND (relkind <> 'r' OR relispartition OR relhassubclass)
"""
_INDEXES = """
    SELECT c.oid::bigint AS oid, c.relname::text AS name, i.indisunique AS is_unique,
           substring(pg_get_indexdef(c.oid) FROM ' (USING .*)$') AS tail,
           n.conname::text AS con, n.contype::text AS type,
           n.condeferrable AS deferrable, n.condeferred AS deferred
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    LEFT JOIN pg_constraint n ON n.conindid = c.oid AND n.contype IN ('p', 'u')
    WHERE i.indrelid = to_regclass(:table) AND i.indisvalid ORDER BY c.relname
"""
_CHECKS = """
    SELECT conname::text AS name, replace(pg_get_constraintdef(oid), ' NOT VALID', '') AS definition
    FROM pg_constraint WHERE conrelid = to_regclass(:table) AND contype = 'c' ORDER BY conname
"""
_KEYS = """
    SELECT n.conname::text AS name,
           replace(pg_get_constraintdef(n.oid), ' NOT VALID', '') AS definition,
           (SELECT array_agg(a.attname::text ORDER BY k.n)
            FROM unnest(n.conkey) WITH ORDINALITY k(num, n)
            JOIN pg_attribute a ON a.attrelid = n.conrelid AND a.attnum = k.num) AS columns
    FROM pg_constraint n WHERE n.conrelid = to_regclass(:table) AND n.contype = 'f'
    ORDER BY n.conname
"""
MARK = "kingpost_new_"


def new_name(name: str) -> str:
    """What replaces something has this name until it does.

    Args:
        name: of a column, an index or a constraint.

    Returns:
        Its name with a mark, at most 63 bytes.
    """
    return catalog.shortened(f"{MARK}{name}")


@dataclass(frozen=True)
class CarriedIndex:
    """An index of the column, with the tail of its successor.

    Attributes:
        constraint: what it backs, with `{}` for the index, such as `UNIQUE USING INDEX {}`.
    """

    name: str
    tail: str
    is_unique: bool
    constraint: str


@dataclass(frozen=True)
class CarriedConstraint:
    """A CHECK or foreign key of the column; `definition` is that of its successor."""

    name: str
    definition: str


def refuse_others(database: Online, table: str, column: str) -> None:
    """Refuses a column on which something hangs that cannot be carried over.

    Args:
        database: the connection.
        table: as it stands in SQL.
        column: its name, as it is.

    Raises:
        OperationError: naming what it is, such as a view or a foreign key that points here.
    """
    found = [row.name for row in database.rows(_OTHERS, table=table, column=column)]
    if found:
        raise OperationError(
            f"the type of {table}.{column} cannot be changed online while it has "
            f"{', '.join(found)}: drop that first, and make it again afterwards"
        )


def carried(
    database: Online, table: str, column: str
) -> tuple[list[CarriedIndex], list[CarriedConstraint]]:
    """What has to be made for the successor of a column.

    PostgreSQL writes the definitions itself: in an empty copy of the table, whose column has been
    renamed.

    Args:
        database: the connection.
        table: as it stands in SQL.
        column: its name, as it is.

    Returns:
        Its indexes, and its CHECKs and foreign keys.
    """
    indexes, checks = _renamed(database, table, column)
    found = [
        CarriedIndex(row.name, indexes[row.is_unique, row.tail], row.is_unique, _constraint(row))
        for row in database.rows(_INDEXES, table=table)
        if (row.is_unique, row.tail) in indexes
    ]
    constraints = [CarriedConstraint(*item) for item in checks.items()]
    return found, constraints + _foreign_keys(database, table, column)


def _renamed(
    database: Online, table: str, column: str
) -> tuple[dict[tuple[bool, str], str], dict[str, str]]:
    """The definitions that a new name of the column changes."""
    including, old = "INCLUDING INDEXES INCLUDING CONSTRAINTS", database.name(column)
    new = database.name(new_name(column))
    with probes.empty_copy(database, table, including) as copy:
        database.probe(f"ALTER TABLE {copy} DROP COLUMN IF EXISTS {new}")
        before = {row.oid: row for row in database.rows(_INDEXES, table=copy)}
        checks = {row.name: row.definition for row in database.rows(_CHECKS, table=copy)}
        database.probe(f"ALTER TABLE {copy} RENAME COLUMN {old} TO {new}")
        after = {row.oid: row.tail for row in database.rows(_INDEXES, table=copy)}
        renamed = {row.name: row.definition for row in database.rows(_CHECKS, table=copy)}
    tails = {
        (row.is_unique, row.tail): after[oid]
        for oid, row in before.items()
        if after[oid] != row.tail
    }
    return tails, {name: text for name, text in renamed.items() if text != checks[name]}


def _constraint(row: Any) -> str:
    if row.con is None:
        return ""
    words = ["PRIMARY KEY" if row.type == "p" else "UNIQUE", "USING INDEX {}"]
    words += ["DEFERRABLE"] if row.deferrable else []
    words += ["INITIALLY DEFERRED"] if row.deferred else []
    return " ".join(words)


def _foreign_keys(database: Online, table: str, column: str) -> list[CarriedConstraint]:
    found = []
    for row in database.rows(_KEYS, table=table):
        if column in row.columns:
            names = [new_name(name) if name == column else name for name in row.columns]
            columns = ", ".join(database.name(name) for name in names)
            tail = row.definition.partition(") REFERENCES ")[2]
            found.append(CarriedConstraint(row.name, f"FOREIGN KEY ({columns}) REFERENCES {tail}"))
    return [key for key in found if not key.name.startswith(MARK)]
