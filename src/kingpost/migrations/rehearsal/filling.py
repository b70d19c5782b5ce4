"""Rows for the empty tables of any database, made by PostgreSQL from its own catalog."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from kingpost.migrations.rehearsal.candidates import N
from kingpost.migrations.rehearsal.catalog import Composites, relations, rows_of, types
from kingpost.migrations.rehearsal.choices import Chooser, null_in_turn
from kingpost.migrations.rehearsal.partitions import Leaf, leaves
from kingpost.migrations.rehearsal.references import References, names_of, references, tie
from kingpost.migrations.rehearsal.relations import Check, ForeignKey, Relation
from kingpost.migrations.rehearsal.values import Values


@dataclass(frozen=True, slots=True)
class Filled:
    """What came of it.

    Args:
        tables: that were given rows, in this order.
        failed: those that could not be, with the reason.
    """

    tables: tuple[str, ...]
    failed: dict[str, str]


def fill(connection: Connection, rows: int, *, edges: bool) -> Filled:
    """Gives rows to each table of the user that has none, with whatever its constraints ask for.

    A value is a function of its type and the row's number, so that a foreign key between two
    tables would hold although there is none yet; foreign keys that exist refer to rows that do.
    Triggers do not fire, where the user may switch them off.

    Args:
        connection: in a transaction, which the caller commits.
        rows: in each table; those of a partitioned one are shared out among its partitions.
        edges: whether one of ten values is NULL where it may be, and some are the longest,
            shortest, largest or smallest of their type.

    Returns:
        Which tables have rows now, and which could not be filled.
    """
    filling = _Filling(connection, rows, edges)
    with _without_triggers(connection):
        for table in filling.in_order():
            filling.fill(table)
        filling.tie()
    _refresh(connection)
    return Filled(tuple(filling.done), filling.failed)


@contextmanager
def _without_triggers(connection: Connection) -> Iterator[None]:
    try:
        with connection.begin_nested():
            rows_of(connection, "SET LOCAL session_replication_role = replica")
    except DBAPIError:  # no superuser: triggers fire, foreign keys are looked up
        yield
        return
    yield
    rows_of(connection, "SET LOCAL session_replication_role = origin")


def _refresh(connection: Connection) -> None:
    """Refreshes materialized views; one that reads another one may need the second round."""
    views = [view.quoted for view in relations(connection, "m")]
    for view in views * (2 if len(views) > 1 else 1):
        _attempt(connection, f"REFRESH MATERIALIZED VIEW {view}")


@dataclass(slots=True)
class _Filling:
    connection: Connection
    rows: int
    edges: bool
    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    tables: tuple[Relation, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    chooser: Chooser = field(init=False)
    waiting: set[int] = field(default_factory=set)
    later: list[tuple[Relation, ForeignKey]] = field(default_factory=list)

    def __post_init__(self) -> None:
        found = relations(self.connection)
        self.tables = tuple(table for table in found if not table.partition)
        self.names = names_of(self.connection, self.tables)
        values = Values(types(self.connection), Composites(self.connection))
        self.chooser = Chooser(self.connection, values, self.rows)

    def in_order(self) -> list[Relation]:
        """The empty tables, those referred to first; of a circle, as few as can be too early."""
        left = [table for table in self.tables if not self._has_rows(table.quoted)]
        self.waiting = {table.oid for table in left}
        ordered: list[Relation] = []
        while left:
            ahead = {table.oid for table in left}
            best = min(left, key=lambda table: _needs(table, ahead))
            left.remove(best)
            ordered.append(best)
        return ordered

    def _has_rows(self, quoted: str) -> bool:
        sql = f"SELECT EXISTS (SELECT FROM {quoted})"  # noqa: S608 - from the catalog
        return bool(rows_of(self.connection, sql)[0][0])

    def fill(self, table: Relation) -> None:
        """Fills one table, all its partitions included."""
        found = references(self.connection, table, self.names, self.waiting)
        if found.missing:
            self.failed[table.shown] = f"{found.missing[0]} refers to a table without rows"
            self.waiting.discard(table.oid)
            return
        targets = leaves(self.connection, table)
        share = max(min(self.rows, self._room(table)) // max(len(targets), 1), 1)
        reasons = [
            reason
            for number, leaf in enumerate(targets)
            if (
                reason := self._fill_leaf(table, leaf, found, (number * share, share, len(targets)))
            )
        ]
        if reasons:
            self.failed[table.shown] = reasons[0]
        if len(reasons) < len(targets):
            self.done.append(table.shown)
            self.later += [(table, reference) for reference in found.later]
        self.waiting.discard(table.oid)

    def _room(self, table: Relation) -> int:
        """How many numbers a small sequence has, with some left for the traffic."""
        small = (c for c in table.columns if c.numbers_itself and c.shown == "smallint")
        return 30_000 if any(small) else self.rows

    def _fill_leaf(
        self, table: Relation, leaf: Leaf, found: References, part: tuple[int, int, int]
    ) -> str:
        checks = [*table.checks, *([leaf.bounds] if leaf.bounds and not leaf.hashed else [])]
        chosen = self.chooser.choose(table, checks)
        if missing := _without_value(table, chosen, found):
            return missing
        limits = [*checks, *([leaf.bounds] if leaf.bounds else [])]
        reason = "no row satisfies its constraints"
        for values in self._variants(table, chosen, checks, found):
            for lenient in (False, True):
                if leaf.hashed and not lenient:
                    continue
                sql = _insert(table, leaf, values, found.joins, limits if lenient else None, part)
                count, problem = _attempt(self.connection, sql)
                if count:
                    return ""
                reason = problem or reason
        return reason if not leaf.bounds else f"{leaf.quoted}: {reason}"

    def _variants(
        self,
        table: Relation,
        chosen: dict[str, str],
        checks: list[Check],
        found: References,
    ) -> list[dict[str, str]]:
        """The values to try, the most daring first."""
        if not self.edges:
            return [chosen | found.values]
        own = {name: value for name, value in chosen.items() if name not in found.values}
        nulls = own | self.chooser.with_nulls(table, own, checks)
        both = self.chooser.with_edges(table, nulls, checks)
        referring = {
            name: null_in_turn(table.column(name), value)
            if table.column(name).nullable and _is_alone(table, name)
            else value
            for name, value in found.values.items()
        }
        variants = [both | referring, nulls | referring, nulls | found.values, own | found.values]
        return [one for number, one in enumerate(variants) if one not in variants[:number]]

    def tie(self) -> None:
        """Closes circles and lets rows refer to others of their own table."""
        for table, reference in self.later:
            sql = tie(table, reference, self.names[reference.target], nulls=self.edges)
            count, problem = _attempt(self.connection, sql)
            if not count and not table.column(reference.columns[0]).nullable:
                self.failed[table.shown] = problem or "there is no row to refer to"
                _attempt(self.connection, f"DELETE FROM {table.quoted}")  # noqa: S608 - from the catalog


def _needs(table: Relation, ahead: Collection[int]) -> tuple[int, int]:
    """How many references of a table would be too early: those that must be, and all."""
    early = [r for r in table.references if r.target in ahead and r.target != table.oid]
    hard = [r for r in early if not any(table.column(name).nullable for name in r.columns)]
    return len(hard), len(early)


def _is_alone(table: Relation, name: str) -> bool:
    """Whether every reference of the column has no other column, which could contradict it."""
    return all(len(r.columns) == 1 for r in table.references if name in r.columns)


def _without_value(table: Relation, chosen: Mapping[str, str], found: References) -> str:
    for column in table.columns:
        has = column.name in chosen or column.name in found.values
        if not (has or column.generated or column.default or column.identity):
            return f"there is no value for {column.name} of type {column.shown}"
    return ""


def _insert(
    table: Relation,
    leaf: Leaf,
    values: Mapping[str, str],
    joins: list[str],
    limits: list[Check] | None,
    part: tuple[int, int, int],
) -> str:
    before, share, parts = part
    first, last = (1, share * parts * 4) if leaf.hashed else (before + 1, before + share)
    columns = [c for c in table.columns if c.name in values and not _is_left_out(c.name, table)]
    names = ", ".join(column.quoted for column in columns)
    made = ", ".join(f"{values[c.name].replace(N, 'g.n')} AS {c.quoted}" for c in columns)
    numbers = f"generate_series({first}::bigint, {last}) AS g(n)"
    rows = f"SELECT {made} FROM {numbers}{''.join(joins)} ORDER BY g.n"  # noqa: S608 - from the catalog
    if limits and columns:
        conditions = " AND ".join(f"coalesce(({check.condition}), true)" for check in limits)
        rows = f"SELECT * FROM ({rows} OFFSET 0) q WHERE {conditions} LIMIT {share}"  # noqa: S608 - from the catalog
    into = f"{leaf.quoted} ({names})" if columns else leaf.quoted
    lenient = "" if limits is None else " ON CONFLICT DO NOTHING"
    return f"INSERT INTO {into} {rows}{lenient}"


def _is_left_out(name: str, table: Relation) -> bool:
    """Columns that number themselves do so, and the sequence stays ahead of them."""
    referring = any(name in reference.columns for reference in table.references)
    return table.column(name).numbers_itself and not (
        referring and table.column(name).identity != "a"
    )


def _attempt(connection: Connection, sql: str) -> tuple[int, str]:
    """Runs a statement; one that fails leaves nothing behind.

    Returns:
        The number of its rows, and why it failed.
    """
    try:
        with connection.begin_nested():
            result = connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
            return result.rowcount, ""
    except DBAPIError as error:
        lines = str(error.orig).splitlines() or [""]
        return 0, lines[0].partition(">: ")[2] or lines[0]  # asyncpg's has its class before it
