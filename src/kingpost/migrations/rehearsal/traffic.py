"""What a service could send to a database: statements derived from its catalog, or from a file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import Connection

from kingpost.migrations.rehearsal.catalog import Composites, relations, types
from kingpost.migrations.rehearsal.choices import Chooser
from kingpost.migrations.rehearsal.literals import Literals
from kingpost.migrations.rehearsal.references import names_of
from kingpost.migrations.rehearsal.relations import Column, Relation
from kingpost.migrations.rehearsal.values import Values

_READS = re.compile(r"(SELECT|WITH|VALUES|TABLE|SHOW)\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO)\b", re.IGNORECASE)
_TABLE = re.compile(
    r"\b(?:FROM|INTO|UPDATE)\s+((?:[\w$]+|\"[^\"]+\")(?:\.(?:[\w$]+|\"[^\"]+\"))?)", re.IGNORECASE
)
_DISTINCT = {"int4", "int8", "uuid", "text", "varchar", "timestamptz", "timestamp", "bytea"}
_PAGE = 20


@dataclass(frozen=True, slots=True)
class TrafficStatement:
    """A statement that a running version sends.

    Args:
        sql: complete, without parameters and without a semicolon at its end.
        table: that it reads or writes; empty if unknown.
        kind: whether it changes data.
        otherwise: the same with values of a row that exists, where `sql` has values of its own.
            A rule that all rows keep is broken by made-up values, and not by the version.
    """

    sql: str
    table: str = ""
    kind: Literal["read", "write"] = "read"
    otherwise: str = ""

    def may_do_otherwise(self, sqlstate: str) -> bool:
        """Whether a failure may be due to values that were made up.

        Args:
            sqlstate: of the failure; classes 22 and 23 are about data (PostgreSQL, appendix A).

        Returns:
            True if the statement has others.
        """
        return bool(self.otherwise) and sqlstate[:2] in {"22", "23"}


def parse(text: str) -> tuple[TrafficStatement, ...]:
    """Reads a traffic file: one statement a line.

    Args:
        text: its content; empty lines and those that begin with `--` mean nothing.

    Returns:
        The statements, in order.
    """
    lines = (line.strip().rstrip(";").rstrip() for line in text.splitlines())
    return tuple(_parsed(line) for line in lines if line and not line.startswith("--"))


def _parsed(sql: str) -> TrafficStatement:
    table = _TABLE.search(sql)
    reads = _READS.match(sql) and not (sql[:4].upper() == "WITH" and _WRITES.search(sql))
    return TrafficStatement(sql, table[1] if table else "", "read" if reads else "write")


def generated(connection: Connection, *, worker: int = 0) -> tuple[TrafficStatement, ...]:
    """Statements for each table and view of the user, as a service would send them.

    Each names its columns. For a table: a row by its key, a page of rows, and then a row with a
    key of this worker inserted, updated and deleted, so that all of them, in this order, leave
    nothing behind. Where no further row fits, one that exists is updated to what it is. Views are
    read.

    Args:
        connection: in a transaction, to the schema of the version that sends them.
        worker: from 0 to 499; those of different workers do not meet.

    Returns:
        The statements.
    """
    tables = [table for table in relations(connection) if not table.partition]
    chooser = Chooser(connection, Values(types(connection), Composites(connection)), 100)
    literals = Literals(connection, chooser, names_of(connection, tables))
    found = [one for table in tables for one in _of_table(literals, table, worker)]
    found += [_page(view, ()) for view in relations(connection, "v,m") if view.columns]
    return tuple(found)


def _of_table(literals: Literals, table: Relation, worker: int) -> Iterator[TrafficStatement]:
    if not table.columns:
        return
    row = literals.row(table, worker)
    key = _key(literals, table, row)
    there = literals.existing(table, [column.name for column in table.columns], worker)
    for one in (there, row):
        if key and one.keys() >= set(key):
            yield _select(table, f"WHERE {_equal(table, key, one)}")
            break
    yield _page(table, key if _has_key(table) else ())
    if key and row.keys() >= set(key) and literals.is_free(table, row, key):
        usual = row | _usual(table, there, key)
        own, others = _changes(table, row, key), _changes(table, usual, key)
        for made, other in zip(own, others, strict=True):
            yield replace(made, otherwise=other.sql)
        same = _equal(table, key, row)
        yield _write(table, f"DELETE FROM {_name(table)} WHERE {same}")  # noqa: S608 - from the catalog
        if left := _left_to_defaults(table, key) & row.keys():
            yield replace(
                _insert(table, _without(row, left)),
                otherwise=_insert(table, _without(usual, left)).sql,
            )
            yield _write(table, f"DELETE FROM {_name(table)} WHERE ({same})")  # noqa: S608 - the same
    elif key and there.keys() >= set(key):
        yield from _update(table, there, key)


def _changes(
    table: Relation, row: dict[str, str], key: tuple[str, ...]
) -> Iterator[TrafficStatement]:
    yield _insert(table, row)
    yield from _update(table, row, key)


def _left_to_defaults(table: Relation, key: tuple[str, ...]) -> set[str]:
    """Columns that a version may leave out, as long as they have their default."""
    return {
        column.name
        for column in table.columns
        if column.default and not column.nullable and column.name not in key
    }


def _without(row: dict[str, str], names: set[str]) -> dict[str, str]:
    return {name: value for name, value in row.items() if name not in names}


def _usual(table: Relation, there: dict[str, str], key: tuple[str, ...]) -> dict[str, str]:
    """What a row has in columns that may be the same in another one."""
    own = {*key, *(name for other in table.keys for name in other.columns)}
    return {name: value for name, value in there.items() if name not in own}


def _update(
    table: Relation, row: dict[str, str], key: tuple[str, ...]
) -> Iterator[TrafficStatement]:
    """Sets each column to the value that it has."""
    pairs = ", ".join(
        f"{column.quoted} = {row[column.name]}"
        for column in table.columns
        if column.name in row and _may_change(column, key)
    )
    if pairs:
        where = _equal(table, key, row)
        yield _write(table, f"UPDATE {_name(table)} SET {pairs} WHERE {where}")  # noqa: S608 - from the catalog


def _key(literals: Literals, table: Relation, row: dict[str, str]) -> tuple[str, ...]:
    """The primary key, another key without NULLs, or a column where the row's value is new."""
    for key in table.keys:
        if key.whole and (key.primary or not any(table.column(n).nullable for n in key.columns)):
            return key.columns
    referring = {name for reference in table.references for name in reference.columns}
    for column in table.columns:
        kind = literals.chooser.values.base(column)[0].name
        if kind not in _DISTINCT or column.name in referring or column.name not in row:
            continue
        if literals.is_free(table, row, (column.name,)):
            return (column.name,)
    return ()


def _has_key(table: Relation) -> bool:
    return any(key.whole for key in table.keys)


def _select(table: Relation, rest: str) -> TrafficStatement:
    columns = ", ".join(column.quoted for column in table.columns)
    return TrafficStatement(f"SELECT {columns} FROM {_name(table)} {rest}", table.shown)  # noqa: S608 - from the catalog


def _page(table: Relation, key: tuple[str, ...]) -> TrafficStatement:
    order = ", ".join(table.column(name).quoted for name in key)
    return _select(table, f"{f'ORDER BY {order} ' if order else ''}LIMIT {_PAGE}")


def _insert(table: Relation, row: dict[str, str]) -> TrafficStatement:
    columns = [column for column in table.columns if column.name in row]
    names = ", ".join(column.quoted for column in columns)
    values = ", ".join(row[column.name] for column in columns)
    numbered = any(column.identity == "a" for column in columns)
    own = "OVERRIDING SYSTEM VALUE " if numbered else ""
    return _write(table, f"INSERT INTO {_name(table)} ({names}) {own}VALUES ({values})")


def _write(table: Relation, sql: str) -> TrafficStatement:
    return TrafficStatement(sql, table.shown, "write")


def _may_change(column: Column, key: tuple[str, ...]) -> bool:
    return column.name not in key and column.identity != "a" and not column.generated


def _equal(table: Relation, key: tuple[str, ...], row: dict[str, str]) -> str:
    return " AND ".join(f"{table.column(name).quoted} = {row[name]}" for name in key)


def _name(table: Relation) -> str:
    """As a service writes it, which relies on the search path for the usual schema."""
    return table.quoted.removeprefix("public.")
