"""The members of a document, each with the SQL that writes it for any source of rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Column, ColumnElement, func, inspect, literal_column, select
from sqlalchemy.orm import ColumnProperty, QueryableAttribute, RelationshipProperty, aliased

from kingpost.projection.adapting import Entity, adapted, columns_read_by
from kingpost.projection.errors import ProjectionError, Unfit
from kingpost.projection.schemas import Member, Schema, Value
from kingpost.projection.sql import NULL, Part, array_of, concatenated, member_key, text_of
from kingpost.projection.values import write
from kingpost.projection.versions import Changes, Versions, behind, changes_unseen, versions_of


@dataclass(frozen=True, slots=True)
class Content:
    """How a member gets its value.

    Attributes:
        parts: gives its JSON for rows of an entity.
        columns: what it needs of them.
        shows: the one column that it shows as it is, if it does so.
        kind: the type of that in Pydantic's core schema.
        changes: which versions tell that it has changed.
    """

    parts: Callable[[Entity], list[Part]]
    columns: frozenset[Any]
    shows: Any = None
    kind: str = ""
    changes: Changes = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What a document looks like.

    Attributes:
        schema: of the document.
        model: of its rows.
        members: by their keys.
    """

    schema: type[BaseModel]
    model: type[Any]
    members: Mapping[str, Content]

    @property
    def columns(self) -> frozenset[Any]:
        """What the document needs of its row."""
        return frozenset().union(*(member.columns for member in self.members.values()))

    @property
    def versions(self) -> Versions | None:
        """The versions behind the document; None if it can change while they stay."""
        return versions_of(self.model, (member.changes for member in self.members.values()))

    def document(self, entity: Entity) -> ColumnElement[str]:
        """The JSON of the entity's rows.

        Args:
            entity: the model or an alias of it.
        """
        parts: list[Part] = ["{"]
        for n, (key, content) in enumerate(self.members.items()):
            parts += [("," if n else "") + member_key(key), *content.parts(entity)]
        return concatenated([*parts, "}"])


@dataclass(frozen=True, slots=True)
class Nesting:
    """How a relationship is shown; see `Nested`, which is what users see of it."""

    relationship: QueryableAttribute[Any]
    order: Sequence[Any] = ()
    limit: int | None = None
    shape: Shape | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a field belongs."""

    schema: Schema
    model: type[Any]
    member: Member
    within: tuple[type[BaseModel], ...]


def shape_of(
    schema: type[BaseModel],
    model: type[Any],
    given: Mapping[str, Any],
    within: tuple[type[BaseModel], ...] = (),
) -> Shape:
    """Finds for each field of a schema what it is in the model.

    Args:
        schema: the response schema.
        model: the mapped class.
        given: expressions and nestings by the name of their field.
        within: the schemas around this one.

    Returns:
        The shape.

    Raises:
        ProjectionError: SQL cannot give a field.
    """
    try:
        read = Schema(schema)
    except Unfit as unfit:
        raise ProjectionError(f"{schema.__name__}: {unfit}") from None
    members = read.members()
    if unknown := sorted(given.keys() - {member.field for member in members}):
        raise ProjectionError(f"{schema.__name__}: it has no field {', '.join(unknown)}")
    found: dict[str, Content] = {}
    for member in members:
        place = _Place(read, model, member, (*within, schema))
        try:
            found[member.key] = _content(place, given.get(member.field))
        except Unfit as unfit:
            raise ProjectionError(f"{schema.__name__}.{member.field}: {unfit}") from None
    return Shape(schema, model, found)


def _content(place: _Place, given: Any) -> Content:
    if given is None:
        given = _attribute(place)
    if isinstance(given, Nesting):
        return _nested(place, given)
    kind = _kind(place, given)
    if kind is RelationshipProperty:
        return _nested(place, Nesting(given))
    return _column(place, given) if kind is ColumnProperty else _expression(place, given)


def _kind(place: _Place, given: Any) -> type | None:
    """What a mapped attribute of the model is; None for an expression, or a hybrid."""
    if not isinstance(given, QueryableAttribute):
        return None
    owner: Any = given.class_
    if not issubclass(place.model, owner):
        raise Unfit(f"{given} belongs to {owner.__name__}, not to {place.model.__name__}")
    found = inspect(place.model).attrs.get(given.key)
    return next((k for k in (RelationshipProperty, ColumnProperty) if isinstance(found, k)), None)


def _attribute(place: _Place) -> Any:
    """What the model has under the name of the field."""
    member, model = place.member, place.model.__name__
    if member.computed:
        raise Unfit(
            "Python computes it; give its expression to the projection "
            f"({member.field}=…), or leave it out of the schema"
        )
    for name in member.attributes:
        if name in inspect(place.model).attrs:
            return getattr(place.model, name)
    raise Unfit(
        f"{model} has no such column or relationship; give an expression ({member.field}=…)"
    )


def _column(place: _Place, attribute: QueryableAttribute[Any]) -> Content:
    value = place.schema.value(place.member.node)
    column = attribute.property.columns[0]
    known = isinstance(column, Column)
    if known and column.nullable and not value.nullable:
        raise Unfit(f"the column {column} may be NULL, the field may not; add `| None`")
    key, nullable = attribute.key, not known or bool(column.nullable)
    write(place.schema, value, column)  # whether it can be written, is said at once

    def parts(entity: Entity) -> list[Part]:
        return write(place.schema, value, getattr(entity, key)).parts(nullable=nullable)

    changes = None if not known or changes_unseen(place.model, key) else ()
    return Content(parts, columns_read_by(column, place.model), column, value.kind, changes)


def _expression(place: _Place, expression: ColumnElement[Any]) -> Content:
    """It may be NULL for all that anybody knows."""
    value = place.schema.value(place.member.node, trusted=True)
    write(place.schema, value, expression)
    tables = set(inspect(place.model).tables)
    if strange := set(select(expression).get_final_froms()) - tables:
        names = ", ".join(sorted(map(str, strange)))
        raise Unfit(f"its expression reads {names} beside the model; make it a scalar subquery")

    def parts(entity: Entity) -> list[Part]:
        return write(place.schema, value, adapted(expression, entity)).parts(nullable=True)

    return Content(parts, columns_read_by(expression, place.model))


def _nested(place: _Place, nesting: Nesting) -> Content:
    if _kind(place, nesting.relationship) is not RelationshipProperty:
        raise Unfit(f"{nesting.relationship} is no relationship")
    relation: RelationshipProperty[Any] = nesting.relationship.property  # type: ignore[assignment]  # told apart above
    value = place.schema.value(place.member.node)
    is_list = value.kind == "list"
    item = place.schema.value(value.node["items_schema"]) if is_list else value
    if item.kind != "model" or is_list != relation.uselist:
        wanted = "a list of schemas" if relation.uselist else "a schema"
        raise Unfit(f"{nesting.relationship} is a relationship; make the field {wanted}")
    shape = _shape_within(place, nesting, item.node["cls"], relation.mapper.class_)
    if is_list:
        return _many(nesting, relation, shape)
    return _one(nesting, relation, shape, value)


def _shape_within(
    place: _Place, nesting: Nesting, schema: type[BaseModel], model: type[Any]
) -> Shape:
    if schema in place.within:
        raise Unfit(f"{schema.__name__} is within itself; nobody knows how deep")
    shape = nesting.shape or shape_of(schema, model, {}, place.within)
    if shape.schema is not schema or not issubclass(model, shape.model):
        shown = f"{shape.schema.__name__} of {shape.model.__name__}"
        raise Unfit(f"its projection shows {shown}, not {schema.__name__} of {model.__name__}")
    return shape


def _one(
    nesting: Nesting, relation: RelationshipProperty[Any], shape: Shape, value: Value
) -> Content:
    always = relation.direction.name == "MANYTOONE" and not any(
        column.nullable for column in relation.local_columns
    )
    if not always and not value.nullable:
        raise Unfit(f"{nesting.relationship} may be missing, the field may not; add `| None`")

    def parts(entity: Entity) -> list[Part]:
        other = aliased(relation.mapper.class_)
        row = _related(relation, shape, entity, other).scalar_subquery()
        return [row] if always else [func.coalesce(row, text_of(NULL))]

    changes = behind(relation, shape.versions)
    return Content(parts, frozenset(relation.local_columns), changes=changes)


def _many(nesting: Nesting, relation: RelationshipProperty[Any], shape: Shape) -> Content:
    order = list(nesting.order) or list(relation.order_by or ())
    if not order:
        raise Unfit(
            "nobody says in which order; give "
            f"Nested({nesting.relationship}, order=[…]) to the projection"
        )

    def parts(entity: Entity) -> list[Part]:
        other = aliased(relation.mapper.class_)
        rows = _related(relation, shape, entity, other).order_by(
            *(adapted(key, other) for key in order)
        )
        if nesting.limit is not None:
            rows = rows.limit(literal_column(str(int(nesting.limit))))
        return array_of(rows.scalar_subquery())

    return Content(parts, frozenset(relation.local_columns))


def _related(relation: RelationshipProperty[Any], shape: Shape, entity: Entity, other: Any) -> Any:
    """The documents of the rows that belong to a row of the entity."""
    joined = getattr(entity, relation.key).of_type(other)
    return select(shape.document(other)).select_from(other).where(joined).correlate(entity)
