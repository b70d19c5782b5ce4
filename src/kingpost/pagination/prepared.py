"""Pages of a list whose statements are compiled once, and run without a session."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, literal_column

from kingpost.database import Query, Reads
from kingpost.pagination.cursors import Cursors, Position, Side, signature
from kingpost.pagination.order import Key, beyond
from kingpost.pagination.pages import Page, PageRequest, neighbours, shown

_SHAPES = 500
_VALUE = "kingpost_value_{}"


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the SQL of a page depends on, other than on the values in it."""

    filters: frozenset[str]
    side: Side | None
    nulls: tuple[bool, ...]
    limit: int


class PreparedList:
    """A list, with one statement for each combination of filters, direction and limit.

    A combination is compiled when it is asked for first; the 500 used last are kept. The limit
    is part of the statement, since PostgreSQL plans `LIMIT 20` better than `LIMIT $1`.

    Args:
        statement: selects what an item is shown as, in one column, unfiltered and unordered.
        order: the sort keys, unique together.
        where: the condition of each filter, with a `bindparam` of the name of the filter.
        place: reads the values of the sort keys from an item; without it they are selected beside
            each item.
    """

    def __init__(
        self,
        statement: Select[Any],
        order: Sequence[Key],
        where: Mapping[str, ColumnElement[bool]],
        *,
        place: Callable[[Any], tuple[Any, ...]] | None = None,
    ) -> None:
        self._statement = statement
        self._order = tuple(order)
        self._where = dict(where)
        keys = [key.signature() for key in order]
        self._signature = lru_cache(maxsize=_SHAPES)(lambda query: signature(query, keys))
        self._place = place
        self._query = lru_cache(maxsize=_SHAPES)(self._make_query)

    async def page(
        self,
        reads: Reads,
        request: PageRequest,
        cursors: Cursors,
        *,
        query: str,
        values: Mapping[str, object],
    ) -> Page[Any]:
        """Fetches one page with one statement in one round trip.

        Args:
            reads: of the database.
            request: which page.
            cursors: reads and writes the cursors.
            query: identifies the route and the filters; a cursor of another one is refused.
            values: of the filters that are asked for, by their names.

        Returns:
            The page; an item is what the statement selects.

        Raises:
            InvalidCursor: see `Cursors.read`.
            Problem: for every failure of the database that is not a bug.
        """
        tied = self._signature(query)
        position = None if request.cursor is None else cursors.read(request.cursor, tied)
        prepared = self._query(_shape(values, position, request.limit))
        rows = await reads.fetch(prepared, {**values, **_key_values(position)})
        following, preceding = neighbours(rows, self._place_of, position, request.limit)
        return Page(
            [row[0] for row in shown(rows, position, request.limit)],
            next=None if following is None else cursors.write(following, tied),
            previous=None if preceding is None else cursors.write(preceding, tied),
        )

    def _place_of(self, row: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(row)[1:] if self._place is None else self._place(row[0])

    def _make_query(self, shape: _Shape) -> Query:
        statement = self._statement
        if self._place is None:
            keys = (key.expression.label(f"kingpost_key_{n}") for n, key in enumerate(self._order))
            statement = statement.add_columns(*keys)
        if shape.side is not None:
            # First: of several bounds for a column, PostgreSQL starts reading an index at the one
            # written first. A filter such as `created_at < …` would start it at the first page.
            statement = statement.where(beyond(self._order, self._position(shape, shape.side)))
        for name in sorted(shape.filters):
            statement = statement.where(self._where[name])
        reverse = shape.side is not None and not shape.side.forward
        orderings = [key.ordering(reverse=reverse) for key in self._order]
        # one more than is shown: are there more?
        return Query(statement.order_by(*orderings).limit(literal_column(str(shape.limit + 1))))

    def _position(self, shape: _Shape, side: Side) -> Position:
        """A place whose values are not known yet, but whether they are NULL is."""
        values = (
            None if null else bindparam(_VALUE.format(n), type_=key.expression.type)
            for n, (key, null) in enumerate(zip(self._order, shape.nulls, strict=True))
        )
        return Position(side, tuple(values))


def _shape(values: Mapping[str, object], position: Position | None, limit: int) -> _Shape:
    if position is None:
        return _Shape(frozenset(values), None, (), limit)
    nulls = tuple(value is None for value in position.values)
    return _Shape(frozenset(values), position.side, nulls, limit)


def _key_values(position: Position | None) -> dict[str, object]:
    values = () if position is None else position.values
    return {_VALUE.format(n): value for n, value in enumerate(values) if value is not None}
