"""Orders: sort keys, and the condition that says which rows lie beyond a place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, and_, false, literal, or_, tuple_

from kingpost.pagination.cursors import Position


@dataclass(frozen=True, slots=True)
class Key:
    """One sort key. The keys of an order together must be unique, so end with the primary key.

    NULLs come where PostgreSQL puts them: last if ascending, first if descending.

    Attributes:
        expression: a column, or any expression over the rows.
        name: stands for the expression in the cursor's signature.
        descending: the largest first.
        nullable: may be NULL; costs the row comparison, so say so only if it is true.
    """

    expression: Any
    name: str
    descending: bool = False
    nullable: bool = False

    def signature(self) -> list[object]:
        """What ties a cursor to this key."""
        return [self.name, self.descending, self.nullable]

    def ordering(self, *, reverse: bool) -> ColumnElement[Any]:
        """The key for ORDER BY.

        Args:
            reverse: walk the order backwards.
        """
        element: ColumnElement[Any] = self.expression
        return element.desc() if self.descending != reverse else element.asc()


def beyond(order: Sequence[Key], position: Position) -> ColumnElement[bool]:
    """The condition for the rows on the asked side of a place.

    Args:
        order: the sort keys.
        position: the place and the side.

    Returns:
        A row comparison if all keys run the same way and none is NULL, which an index on them
        answers at once (PostgreSQL, "Row-wise Comparison"); else the same thing spelled out.
    """
    inclusive, reverse = position.side.inclusive, not position.side.forward
    pairs = list(zip(order, position.values, strict=True))
    directions = {key.descending for key in order}
    if len(directions) == 1 and not any(key.nullable for key in order):
        return _row_comparison(pairs, descending=directions.pop() != reverse, inclusive=inclusive)
    return _spelled_out(pairs, reverse=reverse, inclusive=inclusive)


def _row_comparison(
    pairs: list[tuple[Key, Any]], *, descending: bool, inclusive: bool
) -> ColumnElement[bool]:
    left: Any = tuple_(*(key.expression for key, _ in pairs))
    right: Any = tuple_(*(_bound(key, value) for key, value in pairs))
    if len(pairs) == 1:
        left, right = pairs[0][0].expression, _bound(*pairs[0])
    condition: ColumnElement[bool]
    if descending:
        condition = left <= right if inclusive else left < right
    else:
        condition = left >= right if inclusive else left > right
    return condition


def _spelled_out(
    pairs: list[tuple[Key, Any]], *, reverse: bool, inclusive: bool
) -> ColumnElement[bool]:
    """`a > x OR (a = x AND b > y) OR …`, with what NULL means at each key."""
    ways: list[ColumnElement[bool]] = []
    same: list[ColumnElement[bool]] = []
    for key, value in pairs:
        ways.append(and_(*same, _further(key, value, descending=key.descending != reverse)))
        same.append(_same(key, value))
    if inclusive:
        ways.append(and_(*same))
    first, value = pairs[0]
    if first.nullable:
        return or_(*ways)
    # says nothing new, but lets an index on the first key start at the place
    start = _row_comparison(
        [(first, value)], descending=first.descending != reverse, inclusive=True
    )
    return and_(start, or_(*ways))


def _further(key: Key, value: Any, *, descending: bool) -> ColumnElement[bool]:
    """NULL counts as larger than everything, as PostgreSQL sorts it."""
    element: ColumnElement[Any] = key.expression
    if value is None:
        return element.is_not(None) if descending else false()
    if descending:
        return element < _bound(key, value)
    larger: ColumnElement[bool] = element > _bound(key, value)
    return or_(larger, element.is_(None)) if key.nullable else larger


def _same(key: Key, value: Any) -> ColumnElement[bool]:
    element: ColumnElement[Any] = key.expression
    same: ColumnElement[bool] = (
        element.is_(None) if value is None else element == _bound(key, value)
    )
    return same


def _bound(key: Key, value: Any) -> ColumnElement[Any]:
    if isinstance(value, BindParameter):
        return value  # its value is given when the statement is run
    return literal(value, key.expression.type)
