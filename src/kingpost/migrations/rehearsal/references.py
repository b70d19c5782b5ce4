"""Foreign keys of rows that are made: each refers to a row that exists."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from kingpost.migrations.rehearsal.catalog import rows_of
from kingpost.migrations.rehearsal.choices import null_in_turn
from kingpost.migrations.rehearsal.relations import ForeignKey, Relation, quote


@dataclass(slots=True)
class References:
    """What the foreign keys of a table add to the statement that fills it.

    Args:
        joins: one for each, with the table referred to.
        values: of the columns, by name.
        later: keys whose table has no rows yet, or is the table itself.
        missing: columns that have to refer to a table without any rows.
    """

    joins: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    later: list[ForeignKey] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def names_of(connection: Connection, tables: Collection[Relation]) -> dict[int, str]:
    """The names of all tables that others refer to.

    Args:
        connection: to the database.
        tables: those that refer.

    Returns:
        The names as SQL writes them, by oid.
    """
    oids = {reference.target for table in tables for reference in table.references}
    listed = ",".join(map(str, oids))
    rows = rows_of(connection, f"SELECT o, o::regclass::text FROM unnest('{{{listed}}}'::oid[]) o")  # noqa: S608 - numbers of the catalog
    return {row[0]: row[1] for row in rows}


def references(
    connection: Connection, table: Relation, names: Mapping[int, str], waiting: Collection[int]
) -> References:
    """Finds rows for the foreign keys of a table.

    Args:
        connection: to the database.
        table: whose rows are made.
        names: of the tables referred to, by oid.
        waiting: oids of tables that get their rows later.

    Returns:
        What to add to the statement.
    """
    found, stride = References(), 1
    for reference in table.references:
        if set(reference.columns) <= set(found.values):
            continue  # part of a longer key that has been dealt with
        target = names[reference.target]
        if reference.target in waiting:
            found.later.append(reference)
            _leave_out(found, table, reference, now=False)
        elif count := _count(connection, reference, target):
            _join(found, reference, target, f"(g.n - 1) / {stride}", count)
            stride *= count if _is_digit(table, reference) else 1
        else:
            _leave_out(found, table, reference)
    return found


def _count(connection: Connection, reference: ForeignKey, target: str) -> int:
    sql = f"SELECT count(*) FROM {target} WHERE {_filled(reference)}"  # noqa: S608 - from the catalog
    return int(rows_of(connection, sql)[0][0])


def _filled(reference: ForeignKey) -> str:
    return " AND ".join(f"{quote(name)} IS NOT NULL" for name in reference.target_columns)


def _join(found: References, reference: ForeignKey, target: str, number: str, count: int) -> None:
    alias = f"r{len(found.joins)}"
    pairs = list(zip(reference.columns, reference.target_columns, strict=True))
    shared = [(found.values[own], quote(far)) for own, far in pairs if own in found.values]
    within = ", ".join(far for _, far in shared)
    window = f"OVER (PARTITION BY {within})" if shared else "OVER ()"
    size = f"{alias}.s" if shared else str(count)
    conditions = [f"{alias}.k = {number} % {size}"]
    conditions += [f"{alias}.{far} = {own}" for own, far in shared]
    found.joins.append(
        f" JOIN (SELECT *, row_number() {window} - 1 AS k, count(*) {window} AS s "  # noqa: S608 - from the catalog
        f"FROM {target} WHERE {_filled(reference)}) {alias} ON {' AND '.join(conditions)}"
    )
    for own, far in pairs:
        found.values.setdefault(own, f"{alias}.{quote(far)}")


def _is_digit(table: Relation, reference: ForeignKey) -> bool:
    """Whether it is one of several references that a key consists of, such as (a_id, b_id)."""
    referring = {name for one in table.references for name in one.columns}
    return any(
        set(reference.columns) < set(key.columns) <= referring for key in table.keys if key.whole
    )


def _leave_out(
    found: References, table: Relation, reference: ForeignKey, *, now: bool = True
) -> None:
    for name in reference.columns:
        column = table.column(name)
        if column.nullable:
            found.values.setdefault(name, f"NULL::{column.shown}")
        elif now and name not in found.values:
            found.missing.append(name)


def tie(table: Relation, reference: ForeignKey, target: str, *, nulls: bool) -> str:
    """The statement that gives rows which exist already something to refer to.

    Args:
        table: that refers.
        reference: its key.
        target: name of the table referred to.
        nulls: whether one of ten rows refers to nothing, if it may.

    Returns:
        An UPDATE.
    """
    own = [table.column(name) for name in reference.columns]
    far = [f"r.{quote(name)}" for name in reference.target_columns]
    some = nulls and len(own) == 1 and own[0].nullable
    values = [null_in_turn(own[0], far[0]).replace("\u24dd", "s.k")] if some else far
    pairs = (f"{column.quoted} = {value}" for column, value in zip(own, values, strict=True))
    return (
        f"UPDATE {table.quoted} t SET {', '.join(pairs)} FROM "  # noqa: S608 - from the catalog
        f"(SELECT tableoid AS o, ctid AS c, row_number() OVER () AS k FROM {table.quoted}) s, "
        f"(SELECT *, row_number() OVER () - 1 AS k, count(*) OVER () AS s FROM {target} "
        f"WHERE {_filled(reference)}) r "
        f"WHERE t.tableoid = s.o AND t.ctid = s.c AND r.k = s.k % "
        f"(SELECT greatest(count(*), 1) FROM {target} WHERE {_filled(reference)})"
    )
