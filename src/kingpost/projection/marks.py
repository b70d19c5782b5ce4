"""How a validator tells that reading past it changes nothing."""

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__kingpost_keeps_value__"


def keeps_value(validator: F) -> F:
    """Says of a validator that it returns what comes from the table as it is.

    A projection does not run validators, so it refuses schemas that have some: one might have
    changed the value. This one only checks, or reads other spellings of the same value.

        @keeps_value
        def even(value: int) -> int:
            if value % 2:
                raise ValueError("odd")
            return value

        Even = Annotated[int, AfterValidator(even)]

    Args:
        validator: the function; below `@field_validator` and `@classmethod` if there are any.

    Returns:
        The same function, marked.
    """
    setattr(validator, _MARK, True)
    return validator


def is_kept_by(validator: object) -> bool:
    """Whether a validator was marked.

    Args:
        validator: a function or a method.
    """
    return getattr(validator, _MARK, False) is True
