"""Expressions over a model, for other sources of its rows."""

from typing import Any

from sqlalchemy import Column, inspect
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.sql.visitors import iterate, replacement_traverse

Entity = Any
"""A mapped class or an alias of one: where the rows come from."""


def adapted(expression: Any, entity: Entity) -> Any:
    """An expression over a model's columns as one over the columns of its alias.

    Args:
        expression: over the model.
        entity: the model itself or an alias.
    """
    if isinstance(expression, QueryableAttribute):
        return getattr(entity, expression.key)
    found: Any = inspect(entity)
    if not found.is_aliased_class:
        return expression
    mapper = found.mapper

    def replace(element: Any, **_: Any) -> Any:
        if not isinstance(element, Column) or element.table not in mapper.tables:
            return None
        column = mapper.tables[mapper.tables.index(element.table)].c[element.key]
        return getattr(entity, mapper.get_property_by_column(column).key).expression

    return replacement_traverse(expression, {}, replace)


def columns_read_by(expression: Any, model: type[Any]) -> frozenset[Any]:
    """The columns of a model that an expression reads."""
    columns = (each for each in iterate(expression) if isinstance(each, Column))
    return frozenset(each for each in columns if each.table in inspect(model).tables)
