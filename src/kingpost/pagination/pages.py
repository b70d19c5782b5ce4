"""One page of a query, with the cursors of its neighbours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Row, Select
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.ext.asyncio import AsyncSession

from kingpost.pagination.cursors import Cursors, Position, Side, signature
from kingpost.pagination.order import Key, beyond

T = TypeVar("T")
R = TypeVar("R")

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

    The cursor's condition stands behind those of the statement, and PostgreSQL starts reading an
    index at the bound that is written first. Where a filter bounds the first sort key, such as
    `created_at < …`, a `PreparedList` costs the same at any depth and this does not.

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
    keys = len(order)
    following, preceding = neighbours(
        found, lambda row: tuple(row)[-keys:], position, request.limit
    )
    return Page(
        _items(shown(found, position, request.limit), keys),
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


def shown(found: Sequence[R], position: Position | None, limit: int) -> Sequence[R]:
    """The rows of a page, in the order of the query.

    Args:
        found: one row more than the page has, if there is one; nearest to the place first.
        position: where the page begins.
        limit: of the page.

    Returns:
        At most `limit` rows.
    """
    rows = found[:limit]
    return rows if _is_forward(position) else rows[::-1]


def neighbours(
    found: Sequence[R],
    place: Callable[[R], tuple[Any, ...]],
    position: Position | None,
    limit: int,
) -> tuple[Position | None, Position | None]:
    """The places of the next and the previous page.

    Args:
        found: as for `shown`.
        place: the values of the sort keys of a row.
        position: where the page begins; None for the first page.
        limit: of the page.

    Returns:
        The next and the previous place; None where there are no rows any more.
    """
    rows = shown(found, position, limit)
    if position is not None and not rows:
        # Nothing on this side any more: the rows, if there are any, are all on the other.
        others = Position(position.side.others, position.values)
        return (None, others) if position.side.forward else (others, None)
    after = Position(Side.AFTER, place(rows[-1])) if rows else None
    before = Position(Side.BEFORE, place(rows[0])) if rows else None
    more = len(found) > limit
    if _is_forward(position):
        return (after if more else None), (None if position is None else before)
    return after, (before if more else None)


def _items(rows: Sequence[Row[Any]], keys: int) -> list[Any]:
    """The rows without the sort keys that were added to them."""
    if not rows:
        return []
    names = list(rows[0]._fields[:-keys])
    if len(names) == 1:
        return [row[0] for row in rows]
    cut = (tuple(row)[:-keys] for row in rows)
    return list(IteratorResult(SimpleResultMetaData(names), iter(cut)).all())
