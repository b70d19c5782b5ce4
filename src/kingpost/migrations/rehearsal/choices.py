"""Which value each column of a table gets, so that the conditions on its rows hold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, product

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from kingpost.migrations.rehearsal.candidates import N, candidates
from kingpost.migrations.rehearsal.catalog import rows_of
from kingpost.migrations.rehearsal.relations import Check, Column, Key, Relation, quote
from kingpost.migrations.rehearsal.values import FAR, Values

_TRIES = 600
_EACH = 40
_NULL_EVERY = 10
_FIRST_EDGE = 21


@dataclass(frozen=True, slots=True)
class Chooser:
    """Chooses values and has PostgreSQL judge them.

    Args:
        connection: in a transaction.
        values: that make the usual ones.
        rows: how many there will be.
    """

    connection: Connection
    values: Values
    rows: int

    def choose(self, table: Relation, checks: Sequence[Check]) -> dict[str, str]:
        """Finds a value for each column that can have one.

        Args:
            table: whose rows are made.
            checks: what must hold of them.

        Returns:
            SQL with `N` for the row's number, by column; a column without a value that fits is
            missing if its type is unknown, else it has the usual one.
        """
        chosen = self._usual(table)
        settled: list[Check] = []
        for check in [*self._of_domains(table), *checks]:
            chosen = self._settle(table, chosen, check, settled)
            settled.append(check)
        return self._spread(table, chosen)

    def _usual(self, table: Relation) -> dict[str, str]:
        """The values of the types; NULL where this server cannot make one, such as XML."""
        plain = [column for column in table.columns if not column.generated]
        made = {column.name: self.values.of(column, N) for column in plain}
        chosen = {name: value for name, value in made.items() if value is not None}
        if not self.holds(chosen, [Check("", tuple(chosen), "true")]):
            chosen = {
                column.name: chosen[column.name]
                for column in plain
                if column.name in chosen
                and (self._is_domain(column) or self.holds(chosen, [_makes(column)]))
            }
        nothing = {column.name: f"NULL::{column.shown}" for column in plain if column.nullable}
        return nothing | chosen

    def _is_domain(self, column: Column) -> bool:
        return self.values.types[column.type].kind == "d"

    def _of_domains(self, table: Relation) -> Iterator[Check]:
        """A domain refuses a value as soon as it is made, so that no condition is needed."""
        for column in table.columns:
            if self._is_domain(column):
                yield _makes(column)

    def _settle(
        self, table: Relation, chosen: dict[str, str], check: Check, settled: list[Check]
    ) -> dict[str, str]:
        if self.holds(chosen, [check]):
            return chosen
        near = [s for s in settled if set(s.columns) & set(check.columns)]
        text = " ".join([check.condition, *(s.condition for s in near)])
        options = {
            name: self._options(table.column(name), text)
            for name in check.columns
            if name in chosen and not table.column(name).numbers_itself
        }
        for changes in islice(_variations(options), _TRIES):
            if self.holds(chosen | changes, [check, *near]):
                return chosen | changes
        return chosen

    def _options(self, column: Column, text: str) -> list[str]:
        kind, domains = self.values.types[column.type], ""
        while kind.kind == "d":
            domains += " ".join(kind.checks)
            kind = self.values.types[kind.base]
        return candidates(self.values, column, f"{domains} {text}")

    def holds(self, chosen: Mapping[str, str], checks: Sequence[Check]) -> bool:
        """Whether conditions are true or unknown of a sample of rows.

        Args:
            chosen: the value of each column.
            checks: the conditions.

        Returns:
            False also when PostgreSQL cannot compute them.
        """
        names = {name for check in checks for name in check.columns if name in chosen}
        columns = ", ".join(
            f"{chosen[name].replace(N, '(g.n)')} AS {quote(name)}" for name in sorted(names)
        )
        conditions = " AND ".join(f"coalesce(({check.condition}), true)" for check in checks)
        made = ", ".join(f"t.{quote(name)} IS NULL" for name in sorted(names)) or "true"
        sql = (
            f"SELECT bool_and({conditions}), count(ROW({made})) "  # noqa: S608 - from the catalog
            f"FROM (SELECT {columns} FROM ({self._sample()}) g(n) OFFSET 0) t"
        )
        try:
            with self.connection.begin_nested():
                return bool(rows_of(self.connection, sql)[0][0])
        except DBAPIError:
            return False

    def _sample(self) -> str:
        last = max(self.rows, 1)
        return (
            f"SELECT generate_series(1::bigint, {min(last, 200)}) "
            f"UNION SELECT generate_series({max(1, last - 20)}::bigint, {last}) "
            f"UNION SELECT generate_series({FAR}::bigint, {FAR + 3})"
        )

    def _spread(self, table: Relation, chosen: dict[str, str]) -> dict[str, str]:
        """Lets the columns of a key count like the digits of a number if each has few values."""
        taken = {name for reference in table.references for name in reference.columns}
        for key in table.keys:
            names = [name for name in key.columns if name in chosen and name not in taken]
            if not key.whole or len(names) != len(key.columns) or len(names) < 2:
                continue
            if any(table.column(name).numbers_itself for name in names):
                continue
            if self._distinct(chosen, names) < self.rows:
                chosen = chosen | self._digits(chosen, names)
        return chosen

    def _digits(self, chosen: dict[str, str], names: list[str]) -> dict[str, str]:
        changed, stride = {}, 1
        for name in names:
            changed[name] = chosen[name].replace(N, f"({N} / {stride})")
            stride *= max(self._distinct(chosen, [name]), 1)
        return changed if self._distinct(changed, names) > self._distinct(chosen, names) else {}

    def _distinct(self, chosen: dict[str, str], names: list[str]) -> int:
        values = ", ".join(chosen[name].replace(N, "(g.n)") for name in names)
        numbers = f"generate_series(1::bigint, {self.rows}) g(n)"
        sql = f"SELECT count(DISTINCT ROW({values})) FROM {numbers}"  # noqa: S608 - made above
        try:
            with self.connection.begin_nested():
                return int(rows_of(self.connection, sql)[0][0])
        except DBAPIError:
            return self.rows

    def with_nulls(
        self, table: Relation, chosen: dict[str, str], checks: Sequence[Check]
    ) -> dict[str, str]:
        """Puts NULL into one of ten rows of each column that takes it, in turns.

        Args:
            table: whose rows are made.
            chosen: the values so far.
            checks: what must hold.

        Returns:
            The values, where a condition allows it with NULLs.
        """
        for column in table.columns:
            if column.nullable and column.name in chosen:
                value = null_in_turn(column, chosen[column.name])
                chosen = self._if_it_holds(chosen, {column.name: value}, checks)
        return chosen

    def with_edges(
        self, table: Relation, chosen: dict[str, str], checks: Sequence[Check]
    ) -> dict[str, str]:
        """Puts the longest, shortest, largest and smallest values into one row each.

        Args:
            table: whose rows are made.
            chosen: the values so far.
            checks: what must hold.

        Returns:
            The values, where a condition allows it with those of the edges.
        """
        kept = _key_columns(table.keys)
        for column in table.columns:
            if column.name not in chosen or column.name in kept:
                continue
            for number, edge in enumerate(self.values.edges(column), _FIRST_EDGE):
                value = f"CASE {N} WHEN {number} THEN {edge} ELSE {chosen[column.name]} END"
                chosen = self._if_it_holds(chosen, {column.name: value}, checks)
        return chosen

    def _if_it_holds(
        self, chosen: dict[str, str], change: dict[str, str], checks: Sequence[Check]
    ) -> dict[str, str]:
        (name,) = change
        concerned = [check for check in checks if name in check.columns]
        concerned += [Check("", (name,), "true")]  # that it can be made
        return chosen | change if self.holds(chosen | change, concerned) else chosen


def null_in_turn(column: Column, value: str) -> str:
    """The value of a column, but NULL in one of ten rows.

    Args:
        column: its position says in which ones, so that no row is all NULL.
        value: for the other rows.

    Returns:
        SQL with `N` for the row's number.
    """
    return f"CASE WHEN ({N} + {column.number}) % {_NULL_EVERY} = 0 THEN NULL ELSE {value} END"


def _makes(column: Column) -> Check:
    return Check("", (column.name,), "true")


def _key_columns(keys: Sequence[Key]) -> set[str]:
    return {name for key in keys for name in key.columns if key.primary}


def _variations(options: Mapping[str, list[str]]) -> Iterator[dict[str, str]]:
    """One column changed, then two, each with the likeliest values first."""
    for size in (1, 2, 3):
        for names in combinations(options, size):
            lists = [options[name][: None if size == 1 else _EACH // size] for name in names]
            for values in product(*lists):
                yield dict(zip(names, values, strict=True))
