"""The only types that fields and parameters of a service need: all refuse what cannot be stored.

JSON values are taken as they are (no `"1"` for 1, no `1` for true); query and path values are
text and have one accepted spelling each. What a type accepts is what its JSON Schema says.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
# The address that `<input type="email">` accepts (HTML Standard 4.10.5.1.5), with a dot required.
_EMAIL = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+"
    r"@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+"
)


class Schema(BaseModel):
    """Base of what goes over the wire: unknown fields are refused, values are not coerced."""

    model_config = ConfigDict(extra="forbid", from_attributes=True, frozen=True)


class Filter(BaseModel):
    """Base of the query parameters of a list; unknown ones are refused by the route."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def absent() -> Any:
    """The default of a field that may be left out of a PATCH but may not be null.

    Ask `model_fields_set` what was sent, or use `model_dump(exclude_unset=True)`.
    """
    return Field(default_factory=lambda: None)


def _storable(value: str) -> str:
    """PostgreSQL stores neither NUL nor surrogates (chapter 8.3, character types)."""
    if "\x00" in value:
        raise PydanticCustomError("nul_character", "The text contains a NUL character")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise PydanticCustomError("lone_surrogate", "The text contains a lone surrogate")
    return value


def _not_blank(value: str) -> str:
    if not value or value.isspace():
        raise PydanticCustomError("blank", "The text is empty or only white space")
    return value


def _one_of_one_spelling(pattern: re.Pattern[str], name: str) -> Any:
    def check(value: object) -> object:
        if isinstance(value, str) and not pattern.fullmatch(value):
            raise PydanticCustomError("format", f"The value is not {name}")
        return value

    return BeforeValidator(check)


def _uuid(value: object) -> object:
    if isinstance(value, UUID):
        return value
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise PydanticCustomError("uuid", "The value is not a UUID")
    return UUID(value)


def _instant(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if not isinstance(value, str) or not _DATE_TIME.fullmatch(value):
        raise PydanticCustomError(
            "date_time", "The value is not a date and time of RFC 3339 with an offset"
        )
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError:
        raise PydanticCustomError("date_time", "There is no such date and time") from None
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # within hours of the years 1 or 9999
        return _FIRST if moment.year == 1 else _LAST


def _whole_number(value: object) -> object:
    if isinstance(value, str):
        if not re.fullmatch(r"-?\d{1,18}", value, re.ASCII):
            raise PydanticCustomError("int_parsing", "The value is not a whole number")
        return int(value)
    return value


def _flag(value: object) -> object:
    if isinstance(value, str):
        if value not in {"true", "false"}:
            raise PydanticCustomError("bool_parsing", "The value is neither true nor false")
        return value == "true"
    return value


Text = Annotated[
    str,
    Strict(),
    AfterValidator(_storable),
    Field(json_schema_extra={"pattern": r"^[^\u0000]*$"}),
]
"""Text that PostgreSQL can store; add a `max_length`."""

Line = Annotated[
    str,
    Strict(),
    AfterValidator(_storable),
    AfterValidator(_not_blank),
    Field(min_length=1, json_schema_extra={"pattern": r"^[^\u0000]*[^\u0000\s][^\u0000]*$"}),
]
"""Text with something to see in it; add a `max_length`."""

Email = Annotated[
    str,
    Strict(),
    _one_of_one_spelling(_EMAIL, "an email address"),
    Field(
        max_length=255,
        examples=["ada@example.com"],
        json_schema_extra={"format": "email", "pattern": f"^{_EMAIL.pattern}$"},
    ),
]
"""An email address of up to 255 ASCII characters, kept as it was written."""

Id = Annotated[UUID, BeforeValidator(_uuid)]
"""A UUID in its canonical spelling (RFC 9562 section 4)."""

Boolean = Annotated[bool, Strict()]
"""true or false in a body."""

Flag = Annotated[bool, BeforeValidator(_flag)]
"""`true` or `false` in a query."""

Integer = Annotated[int, Strict()]
"""A whole number in a body; add `ge` and `le` that fit the column."""

Number = Annotated[int, BeforeValidator(_whole_number)]
"""A whole number in a query; add `ge` and `le`."""

Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
]
"""A moment: RFC 3339 with an offset on the way in, UTC with `Z` on the way out."""
