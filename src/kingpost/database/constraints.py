"""From the name of a constraint to the fields of the model, known from the metadata alone."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Constraint,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Table,
    TextClause,
)
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.sql import visitors

_SHARD = re.compile(r"_\d+$")  # Citus names the constraint of a shard `…_102008`
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class ConstraintFields:
    """What a constraint is about.

    Attributes:
        table: the table it belongs to.
        fields: the columns it names, by their keys in the model.
        referred: for a foreign key, the columns it points to.
    """

    table: str
    fields: tuple[str, ...]
    referred: tuple[str, ...] = ()


class ConstraintMap:
    """Looks up constraints and unique indexes of a MetaData by the name the server reports.

    Args:
        metadata: the tables of the service.
    """

    def __init__(self, metadata: MetaData) -> None:
        self._known: Mapping[str, ConstraintFields] = dict(
            entry for table in metadata.tables.values() for entry in _entries(table)
        )

    def __getitem__(self, name: str) -> ConstraintFields:
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def names(self) -> frozenset[str]:
        """Every known name."""
        return frozenset(self._known)

    def find(self, name: str | None) -> ConstraintFields | None:
        """The constraint of this name, also if a shard's number follows it.

        Args:
            name: as the server reports it.

        Returns:
            None for a constraint that the metadata does not have.
        """
        if name is None:
            return None
        return self._known.get(name) or self._known.get(_SHARD.sub("", name))


def _entries(table: Table) -> Iterable[tuple[str, ConstraintFields]]:
    for constraint in table.constraints:
        if (name := _name(constraint)) is not None:
            yield name, ConstraintFields(table.name, _fields(constraint), _referred(constraint))
    for index in table.indexes:
        if index.unique and (name := _name(index)) is not None:
            columns = [f for part in index.expressions for f in _named(table, part)]
            yield name, ConstraintFields(table.name, tuple(dict.fromkeys(columns)))


def _name(item: Constraint | Index) -> str | None:
    """As the DDL spells it: the naming convention applied, cut at 63 bytes."""
    dialect = PGDialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves dialects untyped
    preparer = dialect.identifier_preparer
    if isinstance(item, Index):
        spelled: str | None = preparer.format_index(item)
    else:
        spelled = preparer.format_constraint(item)
    return None if spelled is None else spelled.strip('"')


def _fields(constraint: Constraint) -> tuple[str, ...]:
    if isinstance(constraint, CheckConstraint):
        return tuple(dict.fromkeys(_named(constraint.table, constraint.sqltext)))
    columns: Iterable[Column[object]] = getattr(constraint, "columns", ())
    return tuple(column.key for column in columns)


def _referred(constraint: Constraint) -> tuple[str, ...]:
    if not isinstance(constraint, ForeignKeyConstraint):
        return ()
    return tuple(element.target_fullname.rpartition(".")[2] for element in constraint.elements)


def _named(table: Table, expression: ColumnElement[object] | TextClause | str) -> Iterable[str]:
    if isinstance(expression, str):
        words: Iterable[str] = _WORD.findall(expression)
        return [table.c[word].key for word in words if word in table.c]
    found: list[str] = []
    for part in visitors.iterate(expression):
        if isinstance(part, Column):
            found.append(part.key)
        elif isinstance(part, TextClause):
            found += _named(table, part.text)
    return found
