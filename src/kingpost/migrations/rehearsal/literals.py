"""One row of a table as literals: a key that nobody else has, and something in every column."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from kingpost.migrations.rehearsal.candidates import N
from kingpost.migrations.rehearsal.catalog import rows_of
from kingpost.migrations.rehearsal.choices import Chooser
from kingpost.migrations.rehearsal.partitions import leaves
from kingpost.migrations.rehearsal.relations import Column, ForeignKey, Relation, quote
from kingpost.migrations.rehearsal.values import FAR

_PLAIN = {"int2", "int4", "int8", "numeric", "float4", "float8", "oid", "bool"}
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]\d+)?")
_COMBINED = 200


@dataclass(frozen=True, slots=True)
class Literals:
    """Writes values into statements.

    Args:
        connection: in a transaction.
        chooser: of values that satisfy the constraints.
        names: of tables that are referred to, by oid.
    """

    connection: Connection
    chooser: Chooser
    names: Mapping[int, str]

    def row(self, table: Relation, worker: int) -> dict[str, str]:
        """A new row.

        Args:
            table: where it could be inserted.
            worker: from 0; each has another row.

        Returns:
            Literals by column; a column that can have none is missing. Nothing at all if each
            combination of rows that it could refer to is taken.
        """
        referring = self._referring(table, worker)
        if table.references and not referring:
            return {}
        bounds = next(
            (
                leaf.bounds
                for leaf in leaves(self.connection, table)
                if leaf.bounds and not leaf.hashed
            ),
            None,
        )
        chosen = self.chooser.choose(table, [*table.checks, *([bounds] if bounds else [])])
        made = self._computed(
            table, {n: v.replace(N, f"{FAR + worker}::bigint") for n, v in chosen.items()}
        )
        return made | referring

    def is_free(self, table: Relation, row: Mapping[str, str], key: Sequence[str]) -> bool:
        """Whether no row has this key yet.

        Args:
            table: where to look.
            row: with the key.
            key: names of its columns.

        Returns:
            False if one has.
        """
        same = " AND ".join(f"{table.column(name).quoted} = {row[name]}" for name in key)
        sql = f"SELECT EXISTS (SELECT FROM {table.quoted} WHERE {same})"  # noqa: S608 - from the catalog
        return not rows_of(self.connection, sql)[0][0]

    def existing(self, table: Relation, names: Sequence[str], worker: int) -> dict[str, str]:
        """Values of some columns from a row that exists.

        Args:
            table: that has it.
            names: of the columns.
            worker: which row to take, if there are several.

        Returns:
            Literals by column, without NULLs; nothing if there is no row.
        """
        values = ", ".join(f"{table.column(name).quoted}::text" for name in names)
        sql = f"SELECT {values} FROM {table.quoted} LIMIT {worker + 1}"  # noqa: S608 - from the catalog
        rows = rows_of(self.connection, sql)
        return self._written(table, dict(zip(names, rows[-1], strict=True))) if rows else {}

    def _computed(self, table: Relation, expressions: Mapping[str, str]) -> dict[str, str]:
        if not expressions:
            return {}
        values = ", ".join(f"({expression})::text" for expression in expressions.values())
        try:
            with self.connection.begin_nested():
                row = rows_of(self.connection, f"SELECT {values}")[0]
        except DBAPIError:
            return {}
        return self._written(table, dict(zip(expressions, row, strict=True)))

    def _written(self, table: Relation, values: Mapping[str, str | None]) -> dict[str, str]:
        return {
            name: self._literal(table.column(name), value)
            for name, value in values.items()
            if value is not None
        }

    def _literal(self, column: Column, value: str) -> str:
        if self.chooser.values.base(column)[0].name in _PLAIN and (
            value in {"true", "false"} or _NUMBER.fullmatch(value)
        ):
            return value
        return "'" + value.replace("'", "''") + "'"

    def _referring(self, table: Relation, worker: int) -> dict[str, str]:
        """Keys of rows that exist, in a combination that a unique key still allows."""
        if not table.references:
            return {}
        sources, conditions, values = [], [], dict[str, str]()
        for number, reference in enumerate(table.references):
            alias = f"r{number}"
            sources.append(f"{self._source(table, reference)} {alias}")
            for own, far in zip(reference.columns, reference.target_columns, strict=True):
                value = f"{alias}.{quote(far)}"
                if own in values:
                    conditions.append(f"{value} = {values[own]}")
                values.setdefault(own, value)
        columns = ", ".join(f"{value} AS {quote(name)}" for name, value in values.items())
        joined = f"{', '.join(sources)} WHERE {' AND '.join(conditions) or 'true'}"
        inner = f"SELECT {columns} FROM {joined} OFFSET 0"  # noqa: S608 - from the catalog
        texts = ", ".join(f"q.{quote(name)}::text" for name in values)
        sql = (
            f"SELECT {texts} FROM ({inner}) q "  # noqa: S608 - from the catalog
            f"WHERE {self._allowed(table, set(values))} LIMIT {worker + 1}"
        )
        rows = rows_of(self.connection, sql)
        if rows:
            return self._written(table, dict(zip(values, rows[-1], strict=True)))
        return {}

    def _allowed(self, table: Relation, names: set[str]) -> str:
        """Conditions on a row that has nothing but references."""
        free = [
            f"NOT EXISTS (SELECT FROM {table.quoted} t WHERE "
            + " AND ".join(f"t.{quote(name)} = q.{quote(name)}" for name in key.columns)
            + ")"
            for key in table.keys
            if key.whole and set(key.columns) <= names
        ]
        checks = [check for check in table.checks if set(check.columns) <= names]
        free += [f"coalesce(({check.condition}), true)" for check in checks]
        return " AND ".join(free) or "true"

    def _source(self, table: Relation, reference: ForeignKey) -> str:
        """The rows referred to; few of them where several references are combined."""
        few = f" LIMIT {_COMBINED}" if len(table.references) > 1 else ""
        filled = " AND ".join(f"{quote(name)} IS NOT NULL" for name in reference.target_columns)
        return f"(SELECT * FROM {self.names[reference.target]} WHERE {filled}{few})"  # noqa: S608 - from the catalog
