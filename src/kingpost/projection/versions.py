"""The versions of the rows that a document shows: when none has changed, neither has the document.

A version is the model's `version_id_col`, which the ORM raises with each change of a row.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, inspect, select
from sqlalchemy.orm import RelationshipProperty, aliased

from kingpost.projection.adapting import Entity
from kingpost.projection.sql import Part, concatenated


@dataclass(frozen=True, slots=True)
class Versions:
    """How the versions behind a document are found: `3`, or `3.7` with those of a nested row.

    Attributes:
        sql: gives them for rows of an entity.
        read: gives the same text for a loaded object of the model.
    """

    sql: Callable[[Entity], ColumnElement[Any]]
    read: Callable[[Any], str]


Changes = tuple[Versions, ...] | None
"""What raises the versions when a member changes: those of nested rows beside that of its own row;
None if the member can change and no version with it."""


def version_key(model: type[Any]) -> str | None:
    """The attribute that counts the changes of a row.

    Args:
        model: the mapped class.

    Returns:
        Its name; None if the model has none that is a whole number.
    """
    mapper: Any = inspect(model)
    column = mapper.version_id_col
    if column is None or not isinstance(column.type, Integer):
        return None
    return str(mapper.get_property_by_column(column).key)


def changes_unseen(model: type[Any], key: str) -> bool:
    """Whether a column is written without a new version: the model says so in `__unversioned__`.

    Args:
        model: the mapped class.
        key: the attribute of the column.
    """
    return key in getattr(model, "__unversioned__", ())


def versions_of(model: type[Any], members: Iterable[Changes]) -> Versions | None:
    """The versions behind a document.

    Args:
        model: of its row.
        members: of each of its members.

    Returns:
        None if the document can change while they stay.
    """
    key, changes = version_key(model), list(members)
    if key is None or None in changes:
        return None
    nested = [versions for change in changes if change for versions in change]

    def sql(entity: Entity) -> ColumnElement[Any]:
        own: ColumnElement[Any] = getattr(entity, key)
        if not nested:
            return own
        parts: list[Part] = [own]
        for versions in nested:
            parts += [".", versions.sql(entity)]
        return concatenated(parts)

    def read(row: Any) -> str:
        return ".".join([str(getattr(row, key)), *(versions.read(row) for versions in nested)])

    return Versions(sql, read)


def behind(relation: RelationshipProperty[Any], versions: Versions | None) -> Changes:
    """The versions of the one row that a relationship leads to.

    Args:
        relation: to one row.
        versions: of what is shown of that row.

    Returns:
        None if the relationship can lead to another row while the version of its own row stays:
        then only a foreign key of that row does not decide it.
    """
    is_own_key = relation.direction.name == "MANYTOONE" and not relation.viewonly
    if versions is None or not is_own_key:
        return None

    def sql(entity: Entity) -> ColumnElement[Any]:
        other = aliased(relation.mapper.class_)
        joined = getattr(entity, relation.key).of_type(other)
        rows = select(versions.sql(other)).select_from(other).where(joined).correlate(entity)
        return rows.scalar_subquery()

    def read(row: Any) -> str:
        other = getattr(row, relation.key)
        return "" if other is None else versions.read(other)

    return (Versions(sql, read),)
