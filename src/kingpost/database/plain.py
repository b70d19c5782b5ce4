"""Values of columns as values of JSON."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from enum import Enum
from math import isfinite
from typing import Any
from uuid import UUID

# The most frequent ones, by their exact type: an Enum may be a str as well.
_FORMS: dict[type, Callable[[Any], Any]] = {str: str, int: int, bool: bool, UUID: str}


def plain(value: object) -> Any:
    """A value as JSON can hold it; what has no form of its own becomes text.

    Args:
        value: of a column.

    Returns:
        Timestamps in UTC and dates as ISO 8601; NUMERIC, UUID, NaN and the like as text;
        bytes as None.
    """
    if (form := _FORMS.get(type(value))) is not None:
        return form(value)
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str | bytes | bytearray | memoryview):
        return value if isinstance(value, str) else None
    if isinstance(value, Sequence | set | frozenset):
        return [plain(item) for item in value]
    return _scalar(value)


def _scalar(value: object) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date | time) else str(value)
