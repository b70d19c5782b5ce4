"""Sort keys read back from the documents that show them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy.orm import QueryableAttribute

from kingpost.pagination import Key
from kingpost.projection.shape import Shape

_Reader = Callable[[Any], Any]
_READERS: Mapping[str, _Reader] = {
    "uuid": UUID,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "str": str,
    "int": int,
}


def place_in(shape: Shape, order: Sequence[Key]) -> Callable[[str], tuple[Any, ...]] | None:
    """How the sort keys of a row are read back from its document.

    Only the first and the last row of a page need it, while columns beside the documents would be
    read of each row.

    Args:
        shape: of the documents.
        order: the sort keys.

    Returns:
        A function of the document; None if one of the keys is not shown as it is.
    """
    members = [_member_of(shape, key) for key in order]
    found = [member for member in members if member is not None]
    if len(found) < len(order):
        return None

    def place(document: str) -> tuple[Any, ...]:
        shown = from_json(document)
        values = ((shown[member], read) for member, read in found)
        return tuple(None if value is None else read(value) for value, read in values)

    return place


def _member_of(shape: Shape, key: Key) -> tuple[str, _Reader] | None:
    if not isinstance(key.expression, QueryableAttribute):
        return None
    columns = getattr(key.expression.property, "columns", ())
    for name, content in shape.members.items():
        if content.shows is not None and content.kind in _READERS and content.shows in columns:
            return name, _READERS[content.kind]
    return None
