"""Pages of documents: a projection, an order, and what each filter means."""

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import ColumnElement

from kingpost.database import Reads
from kingpost.pagination import Cursors, Key, Page, PageRequest, PreparedList
from kingpost.projection.errors import ProjectionError
from kingpost.projection.projection import Projection

S = TypeVar("S", bound=BaseModel)


class Listing(Generic[S]):
    """A list of documents. Declared once, beside the other queries of its repository.

    Each combination of filters is compiled to SQL when it is asked for first, so that a request
    only fills in values.

        POSTS = Listing(
            POST,
            order=(Key(Post.created_at, "created_at"), Key(Post.id, "id")),
            filters=PostFilter,
            where={"author_id": Post.author_id == bindparam("author_id")},
        )

    Args:
        projection: what an item is shown as.
        order: the sort keys, unique together.
        filters: the schema of the query parameters; None for a list without filters.
        where: what each field of that schema means; a field that is None is not asked for.

    Raises:
        ProjectionError: a filter has no meaning, or a meaning no filter.
    """

    def __init__(
        self,
        projection: Projection[S],
        order: Sequence[Key],
        filters: type[BaseModel] | None = None,
        where: Mapping[str, ColumnElement[bool]] | None = None,
    ) -> None:
        conditions = where or {}
        _check(filters, conditions)
        self.schema = projection.schema
        self._list = PreparedList(
            projection.select(), order, conditions, place=projection.place(order)
        )

    async def page(
        self,
        reads: Reads,
        request: PageRequest,
        cursors: Cursors,
        *,
        query: str,
        filters: BaseModel | None = None,
    ) -> Page[str]:
        """Fetches one page in one round trip.

        Args:
            reads: of the database.
            request: which page.
            cursors: reads and writes the cursors.
            query: identifies the route and the filters; a cursor of another one is refused.
            filters: an object of the schema of the filters.

        Returns:
            The page; an item is a JSON document as text.

        Raises:
            InvalidCursor: see `Cursors.read`.
            Problem: for every failure of the database that is not a bug.
        """
        asked = vars(filters).items() if filters is not None else ()
        values = {name: value for name, value in asked if value is not None}
        return await self._list.page(reads, request, cursors, query=query, values=values)


def _check(filters: type[BaseModel] | None, where: Mapping[str, object]) -> None:
    fields = set(filters.model_fields) if filters is not None else set()
    name = filters.__name__ if filters is not None else "a list without filters"
    if missing := sorted(fields - where.keys()):
        raise ProjectionError(f"{name}: `where` does not say what {', '.join(missing)} means")
    if unknown := sorted(where.keys() - fields):
        raise ProjectionError(f"{name} has no field {', '.join(unknown)}, but `where` has")
