"""The only types that fields and parameters of a service need: all refuse what cannot be stored.

JSON values are taken as they are (no `"1"` for 1, no `1` for true); query and path values are
text and have one accepted spelling each. What a type accepts is what its JSON Schema says.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

from kingpost.projection import keeps_value

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_DATE_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[Tt](?P<time>[0-2]\d:[0-5]\d:)(?P<second>[0-5]\d|60)"
    r"(?P<fraction>\.\d+)?(?P<offset>[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
# A dot-string and a domain of two labels or more (RFC 5321 section 4.1.2), without quoting.
_ATOM = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_EMAIL = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+")
# White space, controls, and what has no width: a name made of these alone shows nothing.
_INVISIBLE = (
    r"\u0000-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
)
_VISIBLE = re.compile(f"[^{_INVISIBLE}]")


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


@keeps_value
def _storable(value: str) -> str:
    """PostgreSQL stores neither NUL nor surrogates (chapter 8.3, character types)."""
    if "\x00" in value:
        raise PydanticCustomError("nul_character", "The text contains a NUL character")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise PydanticCustomError("lone_surrogate", "The text contains a lone surrogate")
    return value


@keeps_value
def _not_blank(value: str) -> str:
    if not _VISIBLE.search(value):
        raise PydanticCustomError("blank", "The text has nothing to see in it")
    return value


def _one_of_one_spelling(pattern: re.Pattern[str], name: str) -> Any:
    @keeps_value
    def check(value: object) -> object:
        if isinstance(value, str) and not pattern.fullmatch(value):
            raise PydanticCustomError("format", f"The value is not {name}")
        return value

    return BeforeValidator(check)


@keeps_value
def _uuid(value: object) -> object:
    if isinstance(value, UUID):
        return value
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise PydanticCustomError("uuid", "The value is not a UUID")
    return UUID(value)


@keeps_value
def _instant(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    found = _DATE_TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise PydanticCustomError(
            "date_time", "The value is not a date and time of RFC 3339 with an offset"
        )
    try:
        return _moment(found)
    except ValueError:
        raise PydanticCustomError("date_time", "There is no such date and time") from None


def _moment(found: re.Match[str]) -> datetime:
    """In UTC; what PostgreSQL or Python cannot hold becomes the nearest that they can."""
    date, is_leap_second = found["date"], found["second"] == "60"
    if before_first := date.startswith("0000"):  # a year of RFC 3339, a leap year even
        date = "0004" + date[4:]
    clock = found["time"] + ("59" if is_leap_second else found["second"])
    text = f"{date}T{clock}{(found['fraction'] or '')[:7]}{found['offset'].upper()}"
    moment = datetime.fromisoformat(text)
    if before_first:
        return _FIRST
    try:
        return moment.astimezone(UTC) + timedelta(seconds=is_leap_second)
    except OverflowError:  # within hours of the years 1 or 9999
        return _FIRST if moment.year == 1 else _LAST


@keeps_value
def _whole_number(value: object) -> object:
    if isinstance(value, str):
        if not re.fullmatch(r"-?\d{1,18}", value, re.ASCII):
            raise PydanticCustomError("int_parsing", "The value is not a whole number")
        return int(value)
    return value


@keeps_value
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
    Field(
        min_length=1,
        json_schema_extra={"pattern": rf"^[^\u0000]*[^{_INVISIBLE}][^\u0000]*$"},
    ),
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

FromText = BeforeValidator(_whole_number)
"""Makes an `int` one that is read from a query; it comes after the bounds.

    Annotated[int, Field(ge=1, le=100), FromText]

The other way round Pydantic checks the bounds and says nothing of them in the JSON Schema.
"""

Number = Annotated[int, FromText]
"""A whole number in a query."""

Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
]
"""A moment: RFC 3339 with an offset on the way in, UTC with `Z` on the way out."""
