"""A response schema and a model, put together as one SELECT."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from pydantic_core import to_json
from sqlalchemy import ColumnElement, FromClause, Select, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import aliased

from kingpost.pagination import Key
from kingpost.projection.document import Document
from kingpost.projection.errors import ProjectionError
from kingpost.projection.places import place_in
from kingpost.projection.shape import Nesting, shape_of
from kingpost.projection.versions import version_key

S = TypeVar("S", bound=BaseModel)

_MARK_BYTES = 3
_HASH_BYTES = 12


@dataclass(frozen=True, slots=True)
class Nested:
    """How a relationship is shown, where the schema alone does not say it.

        Projection(WithBooks, Author, books=Nested(Author.books, order=[Book.title], limit=20))

    Attributes:
        relationship: of the model.
        order: of a list, unique at best; without it the `order_by` of the relationship.
        limit: the most items of a list; None for all of them.
        projection: of the other model; without it one is made of the field's schema.
    """

    relationship: Any
    order: Sequence[Any] = ()
    limit: int | None = None
    projection: "Projection[Any] | None" = None


class Projection(Generic[S]):
    """The JSON documents of a schema, straight from the table of a model.

        READ = Projection(Read, Author)
        READ.select().where(Author.id == key)

    Each field is the model's column of that name, or of its alias. A field whose type is a schema
    again, or a list of one, follows the relationship of that name within the same statement; that
    changes neither the number nor the order of the rows. The JSON is what Pydantic writes for the
    row, with aliases as FastAPI uses them, and moments in UTC with `Z`.

    If the model has a version, its documents have ETags. They are made from the versions of all
    rows that a document shows; or from its bytes, where it can change and no version with it: it
    has a list of other rows or an expression, or a column that the model names in
    `__unversioned__`.

    Args:
        schema: the response schema.
        model: the mapped class.
        **given: for a field that is no column of the model, or not as it is: an expression over
            the model's columns, a relationship, or a `Nested`. Validators and serializers of a
            field that is given an expression do not run: the expression does their work.

    Attributes:
        schema: as given.
        model: as given.
        document: the JSON, for a SELECT from the model's table.
        versions: what the ETag is made from, for the same; None if not from versions.

    Raises:
        ProjectionError: SQL cannot give what the schema asks for.
    """

    def __init__(self, schema: type[S], model: type[Any], /, **given: Any) -> None:
        self.schema = schema
        self.model = model
        self._shape = shape_of(
            schema, model, {field: _nesting(value) for field, value in given.items()}
        )
        self.document: ColumnElement[str] = self._shape.document(model)
        self._versions = self._shape.versions
        self.versions = None if self._versions is None else self._versions.sql(model)
        self._has_etags = version_key(model) is not None

    def select(self) -> Select[str]:
        """`SELECT document FROM model`, to which `where`, `order_by`, `limit` … are added."""
        document = self.document.label("document")
        return select(document).select_from(self.model)

    def place(self, order: Sequence[Key]) -> Callable[[str], tuple[Any, ...]] | None:
        """How the sort keys of a row are read back from its document.

        Args:
            order: the sort keys.

        Returns:
            A function of the document; None if one of the keys is not shown as it is.
        """
        return place_in(self._shape, order)

    def of(self, source: Any) -> ColumnElement[str]:
        """The same document from other rows.

            added = insert(Book).values(…).returning(Book).cte("added")
            select(READ.of(added)).select_from(added)

        Args:
            source: an alias of the model, or a FROM that has the columns of the model under
                their names: a subquery, a CTE, `INSERT … RETURNING` as a CTE.

        Returns:
            The JSON as an expression over the columns of the source.

        Raises:
            ProjectionError: the source lacks a column.
        """
        return self._shape.document(self._entity(source))

    def row_of(self, source: Any) -> Sequence[ColumnElement[Any]]:
        """What `wrap` needs of other rows: the document, and the versions if there are any.

        Args:
            source: see `of`; the version of the model is among its columns.

        Returns:
            One or two expressions.

        Raises:
            ProjectionError: the source lacks a column.
        """
        entity = self._entity(source)
        document = self._shape.document(entity)
        return [document] if self._versions is None else [document, self._versions.sql(entity)]

    def wrap(self, text: str, versions: object = None) -> Document[S]:
        """A document from what the database gave.

        Args:
            text: the JSON.
            versions: of the rows that it shows; None makes an ETag from the bytes, if the model
                has a version.

        Returns:
            The document.
        """
        body = text.encode()
        if versions is not None:
            return Document(body, f'"{versions}-{self._mark}"')
        return Document(body, _hashed(body) if self._has_etags else None)

    def show(self, entity: Any) -> Document[S]:
        """The document of a loaded object, as it is after a flush.

        Args:
            entity: of the model, with all that the schema shows of it loaded.

        Returns:
            What a SELECT would give, with the same ETag.

        Raises:
            pydantic.ValidationError: the object is none of that schema.
        """
        shown = self.schema.model_validate(entity, from_attributes=True)
        body = to_json(shown, by_alias=True)
        if self._versions is not None:
            return Document(body, self.etag(entity))
        return Document(body, _hashed(body) if self._has_etags else None)

    def etag(self, entity: Any) -> str:
        """The ETag of a loaded object's document, to compare with an `If-Match`.

        Args:
            entity: see `show`.

        Returns:
            A strong one in its quotes.

        Raises:
            ProjectionError: the model has no version.
        """
        if self._versions is None:
            return self._etag_of_bytes(entity)
        return f'"{self._versions.read(entity)}-{self._mark}"'

    def _etag_of_bytes(self, entity: Any) -> str:
        etag = self.show(entity).etag
        if etag is None:
            raise ProjectionError(
                f"{self.model.__name__} has no version, so its documents have no ETags: "
                "add VersionMixin to it"
            )
        return etag

    @cached_property
    def _mark(self) -> str:
        """Tells this form of a row from others: a new release may show the same row differently."""
        sql = str(self.document.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]  # SQLAlchemy's
        return blake2b(sql.encode(), digest_size=_MARK_BYTES).hexdigest()

    def _entity(self, source: Any) -> Any:
        if not isinstance(source, FromClause):
            return source
        needed = {column.name for column in self._shape.columns}
        if missing := sorted(needed.difference(source.c.keys())):
            raise ProjectionError(
                f"{self.schema.__name__}: the source has no column {', '.join(missing)}"
            )
        return aliased(self.model, source, adapt_on_names=True)


def _hashed(body: bytes) -> str:
    return f'"{blake2b(body, digest_size=_HASH_BYTES).hexdigest()}"'


def _nesting(given: Any) -> Any:
    """What a user says of a relationship, without the projections themselves."""
    if not isinstance(given, Nested):
        return given
    shape = None if given.projection is None else given.projection._shape
    return Nesting(given.relationship, given.order, given.limit, shape)
