"""The few pieces of SQL that JSON is put together from."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, String, Text, cast, func, literal_column

Part = str | ColumnElement[Any]
"""JSON: as it is, or an expression that gives it."""

_MOST_ARGUMENTS = 99  # of any function of PostgreSQL, less one

NULL = "null"


def text_of(value: str) -> ColumnElement[str]:
    """A text as a constant within the statement: it costs no parameter and the plan knows it.

    Args:
        value: anything; it is quoted.
    """
    return literal_column("'" + value.replace("'", "''") + "'", Text)


def as_text(expression: ColumnElement[Any]) -> ColumnElement[str]:
    """An expression as text.

    Args:
        expression: of any type.
    """
    return expression if isinstance(expression.type, String) else cast(expression, Text)


def concatenated(parts: Sequence[Part]) -> ColumnElement[str]:
    """Parts as one text, by `concat`: it is the cheapest way, and never NULL as a whole.

    Args:
        parts: in their order.
    """
    merged: list[ColumnElement[Any]] = []
    text = ""
    for part in (*parts, None):
        if isinstance(part, str):
            text += part
            continue
        merged += [text_of(text)] if text else []
        merged += [] if part is None else [part]
        text = ""
    while len(merged) > _MOST_ARGUMENTS:
        merged = [
            _concat(merged[start : start + _MOST_ARGUMENTS])
            for start in range(0, len(merged), _MOST_ARGUMENTS)
        ]
    return _concat(merged)


def _concat(parts: Sequence[ColumnElement[Any]]) -> ColumnElement[str]:
    return func.concat(*parts, type_=Text)


def member_key(name: str) -> str:
    """The key of a member with its colon.

    Args:
        name: of the member.
    """
    return json.dumps(name, ensure_ascii=False) + ":"


def array_of(rows: ColumnElement[Any]) -> list[Part]:
    """The JSON texts of a subselect as a JSON array, in the order of the subselect.

    Args:
        rows: a scalar subquery with one column.
    """
    return ["[", func.array_to_string(func.array(rows), text_of(","), type_=Text), "]"]
