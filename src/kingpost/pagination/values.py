"""The values of sort keys as JSON and back, exactly."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

# A datetime is a date and a bool an int, so the order matters; the most frequent come first.
_TAGS: tuple[tuple[str, type[Any], Callable[[Any], Any], Callable[[Any], Any]], ...] = (
    ("u", UUID, str, UUID),
    ("t", datetime, datetime.isoformat, datetime.fromisoformat),
    ("b", bool, bool, bool),
    ("i", int, str, int),  # as text: other JSON readers cut integers at 2**53
    ("f", float, float.hex, float.fromhex),
    ("s", str, str, str),
    ("d", date, date.isoformat, date.fromisoformat),
    ("n", Decimal, str, Decimal),
)
_READERS = {tag: read for tag, _, _, read in _TAGS}


def dump(value: object) -> Any:
    """A value as JSON can hold it.

    Args:
        value: of a sort key.

    Returns:
        None, or a list of a tag and the value.

    Raises:
        TypeError: for a type that no cursor can hold; cast the sort key in SQL.
    """
    if value is None:
        return None
    for tag, kind, write, _ in _TAGS:
        if isinstance(value, kind):
            return [tag, write(value)]
    raise TypeError(f"a sort key may not be a {type(value).__name__}; cast it in the query")


def load(dumped: Any) -> Any:
    """The value that `dump` was given."""
    return None if dumped is None else _READERS[dumped[0]](dumped[1])
