"""Turns Pydantic's findings into problems: where and why, never the input itself."""

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError

from kingpost.problems import FieldError, Invalid, NotFound, Problem, UnknownField

MAX_ERRORS = 100  # more than fit into an answer, which says then that there are more

_IN_PLAIN_WORDS = {
    "extra_forbidden": "There is no such field",
    "missing": "The field is required",
    "model_attributes_type": "The value is not an object",
    "model_type": "The value is not an object",
}


def as_problem(error: RequestValidationError) -> Problem:
    """The problem that a failed validation is answered with.

    Args:
        error: what FastAPI found; may name the path, the query and the body.

    Returns:
        NotFound for an id in the path that cannot exist, UnknownField when nothing but unknown
        fields is wrong, otherwise Invalid; with a pointer for each finding, at most 100.
    """
    findings = error.errors()
    if any(item["loc"][0] == "path" for item in findings):
        return NotFound()
    errors = [field_error(item) for item in findings[:MAX_ERRORS]]
    only_unknown = all(item["type"] == "extra_forbidden" for item in findings)
    return (UnknownField if only_unknown else Invalid)(errors=errors)


def field_error(item: Mapping[str, Any]) -> FieldError:
    """One finding of Pydantic with its location as a JSON pointer (RFC 6901)."""
    message = _IN_PLAIN_WORDS.get(item["type"], item["msg"]).rstrip(".")
    return FieldError(pointer(item["loc"]), item["type"], f"{message}.")


def pointer(location: Iterable[int | str]) -> str:
    """A JSON pointer for a location such as `("body", "items", 3, "title")`."""
    return "".join("/" + _token(part) for part in location)


def _token(part: int | str) -> str:
    """Names come from the client when a field is unknown: short, and nothing but ASCII."""
    text = str(part)[:60].encode("ascii", "backslashreplace").decode("ascii")
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text.replace("~", "~0").replace("/", "~1")
