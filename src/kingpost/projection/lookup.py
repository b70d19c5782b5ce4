"""Documents by key."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import inspect

from kingpost.database import KeyQuery, Reads
from kingpost.projection.document import Document
from kingpost.projection.projection import Projection

S = TypeVar("S", bound=BaseModel)


class Lookup(Generic[S]):
    """Finds the document of one row by a unique column.

        BY_ID = Lookup(Projection(Read, Author), Author.id)
        found = await BY_ID.find(database.reads, key)

    Lookups that arrive together are one statement (`Reads.find`). By the primary key a document
    has an ETag made from versions, see `Projection`; another key can lead to another row of the
    same version one day, so there the ETag is made from the bytes.

    Args:
        projection: of the documents.
        key: a unique column of its model.

    Attributes:
        query: what is sent, for `Reads`.
    """

    def __init__(self, projection: Projection[S], key: Any) -> None:
        statement = projection.select()
        if projection.versions is not None and _is_primary(key, projection.model):
            statement = statement.add_columns(projection.versions.label("versions"))
        self.query = KeyQuery(statement, key)
        self._has_versions = len(statement.selected_columns) > 1
        self._wrap = projection.wrap

    async def find(self, reads: Reads, key: object) -> Document[S] | None:
        """The document with this key.

        Args:
            reads: where to look.
            key: its value.

        Returns:
            The document, or None if there is no such row.
        """
        row = await reads.find_row(self.query, key)
        if row is None:
            return None
        return self._wrap(row[0], row[1]) if self._has_versions else self._wrap(row[0])


def _is_primary(key: Any, model: type[Any]) -> bool:
    primary = inspect(model).primary_key
    columns = getattr(getattr(key, "property", None), "columns", ())
    return len(primary) == 1 and any(column is primary[0] for column in columns)
