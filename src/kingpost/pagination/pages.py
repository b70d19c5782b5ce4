"""One page of a query, with the cursors of its neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Row, Select
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.ext.asyncio import AsyncSession

from kingpost.pagination.cursors import Cursors, Position, Side, signature
from kingpost.pagination.order import Key, beyond

T = TypeVar("T")

_LABEL = "kingpost_key_{}"


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a client asks for.

    Attributes:
        limit: the most items, at least 1.
        cursor: `next` or `previous` of another page; None for the first one.
    """

    limit: int
    cursor: str | None = None

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ValueError("a page has at least one item")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page.

    Attributes:
        items: in the order of the query, whichever way the page was reached.
        next: the cursor of the following page; None at the end.
        previous: the cursor of the page before; None at the beginning.
    """

    items: list[T]
    next: str | None
    previous: str | None


async def fetch_page(
    session: AsyncSession,
    statement: Select[Any],
    order: Sequence[Key],
    request: PageRequest,
    cursors: Cursors,
    query: str,
) -> Page[Any]:
    """Fetches one page with one statement.

    Args:
        session: reads.
        statement: the query without ORDER BY and LIMIT.
        order: the sort keys, unique together.
        request: which page.
        cursors: reads and writes the cursors.
        query: identifies the route and the filters; a cursor of another one is refused.

    Returns:
        Entities or values if the statement selects one thing, else rows.

    Raises:
        InvalidCursor: see `Cursors.read`.
    """
    tied = signature(query, [key.signature() for key in order])
    position = None if request.cursor is None else cursors.read(request.cursor, tied)
    limited = _limited(statement, order, position, request.limit)
    found = (await session.execute(limited)).all()
    following, preceding = _neighbours(found, order, position, request.limit)
    return Page(
        _items(_in_order(found[: request.limit], position), len(order)),
        next=None if following is None else cursors.write(following, tied),
        previous=None if preceding is None else cursors.write(preceding, tied),
    )


def _limited(
    statement: Select[Any], order: Sequence[Key], position: Position | None, limit: int
) -> Select[Any]:
    keys = [key.expression.label(_LABEL.format(n)) for n, key in enumerate(order)]
    limited = statement.add_columns(*keys)
    if position is not None:
        limited = limited.where(beyond(order, position))
    reverse = not _is_forward(position)
    orderings = [key.ordering(reverse=reverse) for key in order]
    return limited.order_by(None).order_by(*orderings).limit(limit + 1)  # one more: is there more?


def _is_forward(position: Position | None) -> bool:
    return position is None or position.side.forward


def _in_order(rows: Sequence[Row[Any]], position: Position | None) -> Sequence[Row[Any]]:
    return rows if _is_forward(position) else rows[::-1]


def _neighbours(
    found: Sequence[Row[Any]], order: Sequence[Key], position: Position | None, limit: int
) -> tuple[Position | None, Position | None]:
    """The places of the next and the previous page."""
    shown = _in_order(found[:limit], position)
    if position is not None and not shown:
        # Nothing on this side any more: the rows, if there are any, are all on the other.
        others = Position(position.side.others, position.values)
        return (None, others) if position.side.forward else (others, None)
    after = Position(Side.AFTER, _values(shown[-1], order)) if shown else None
    before = Position(Side.BEFORE, _values(shown[0], order)) if shown else None
    more = len(found) > limit
    if _is_forward(position):
        return (after if more else None), (None if position is None else before)
    return after, (before if more else None)


def _values(row: Row[Any], order: Sequence[Key]) -> tuple[Any, ...]:
    return tuple(row)[-len(order) :]


def _items(rows: Sequence[Row[Any]], keys: int) -> list[Any]:
    """The rows without the sort keys that were added to them."""
    if not rows:
        return []
    names = list(rows[0]._fields[:-keys])
    if len(names) == 1:
        return [row[0] for row in rows]
    cut = (tuple(row)[:-keys] for row in rows)
    return list(IteratorResult(SimpleResultMetaData(names), iter(cut)).all())
