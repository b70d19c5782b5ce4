"""How each type of a column becomes the JSON that Pydantic writes for it."""

from typing import Any

from pydantic_core import to_json
from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    Enum,
    Interval,
    TypeDecorator,
    case,
    func,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import NullType

from kingpost.projection.errors import Unfit
from kingpost.projection.scalars import DIALECT, WRITERS, Written, named, string
from kingpost.projection.schemas import Schema, Value
from kingpost.projection.sql import array_of, concatenated, text_of

_ALIKE = {"str", "int", "bool", "uuid"}  # PostgreSQL's own JSON of them is Pydantic's


def write(schema: Schema, value: Value, expression: ColumnElement[Any]) -> Written:
    """The JSON of a value.

    Args:
        schema: that the value belongs to.
        value: what Pydantic takes it for.
        expression: what SQL has.

    Returns:
        SQL that gives the JSON.

    Raises:
        Unfit: the two do not go together.
    """
    type_ = expression.type
    if isinstance(type_, NullType):
        raise Unfit("nobody knows its type in SQL; name it, as in func.upper(…, type_=Text)")
    if isinstance(type_, Interval | postgresql.INTERVAL):
        raise Unfit("an interval has many spellings; show its seconds by an expression")
    if isinstance(type_, TypeDecorator):
        raise Unfit(f"{type(type_).__name__} changes the value in Python")
    if isinstance(type_, JSON):
        return _json(schema, value, expression)
    if isinstance(type_, ARRAY):
        return _array(schema, value, expression)
    if isinstance(type_, Enum):
        return _enum(value, expression, type_)
    for kind, (fitting, writer) in WRITERS.items():
        if kind == value.kind and isinstance(type_, fitting):
            return writer(value.node, expression)
    raise Unfit(
        f"{named(type_)} is not read as {value.kind}; change one of them or give an expression"
    )


def _enum(value: Value, expression: ColumnElement[Any], type_: Enum) -> Written:
    """The table has the labels, which are the names of the members unless told otherwise."""
    shown = _shown(value, type_)
    if all(json == to_json(label) for label, json in shown.items()):
        return string(value.node, expression)
    pairs = [
        (expression == text_of(label), text_of(json.decode())) for label, json in shown.items()
    ]
    return Written(case(*pairs))


def _shown(value: Value, type_: Enum) -> dict[str, bytes]:
    """The JSON of each label."""
    if type_.enum_class is None:
        objects: dict[str, Any] = {label: label for label in type_.enums}
    else:
        labels: Any = type_
        process = labels.result_processor(DIALECT, None)
        objects = {label: process(label) for label in type_.enums}
    for label, member in objects.items():
        if not _accepts(value, member):
            raise Unfit(f"{label!r} of its column is not read as {value.kind}")
    return {label: to_json(member) for label, member in objects.items()}


def _accepts(value: Value, member: Any) -> bool:
    if value.kind == "str":
        return isinstance(member, str)
    if value.kind == "literal":
        return isinstance(member, str) and member in value.node["expected"]
    return value.kind == "enum" and member in list(value.node["members"])


def _json(schema: Schema, value: Value, expression: ColumnElement[Any]) -> Written:
    if not value.trusted:
        _refuse_conversion(schema, value)
    return Written(expression)


def _refuse_conversion(schema: Schema, value: Value) -> None:
    """Only where Pydantic takes everything as it is, it writes what the table has."""
    if value.kind in {"any", "str"}:
        return
    inner = {"dict": ("keys_schema", "values_schema"), "list": ("items_schema",)}.get(value.kind)
    if inner is None:
        raise Unfit(f"Pydantic may change {value.kind} in a JSON column; make the field Any")
    for name in inner:
        if name in value.node:
            _refuse_conversion(schema, schema.value(value.node[name]))


def _array(schema: Schema, value: Value, expression: ColumnElement[Any]) -> Written:
    type_: Any = expression.type
    if value.kind != "list" or type_.dimensions not in {None, 1}:
        raise Unfit(f"{named(type_)} is not read as {value.kind}; make the field a list")
    items = schema.value(value.node.get("items_schema", {"type": "any"}))
    item = func.unnest(expression, type_=type_.item_type).column_valued()
    written = write(schema, items, item)
    if items.kind in {"str", "int", "bool", "uuid"} and not isinstance(type_.item_type, Enum):
        return Written(func.to_json(expression))
    texts = select(concatenated(written.parts(nullable=items.nullable))).scalar_subquery()
    return Written(case((expression.is_not(None), concatenated(array_of(texts)))))
