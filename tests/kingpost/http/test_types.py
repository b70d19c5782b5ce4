from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from kingpost.http import types

ACCEPTED: list[tuple[str, Any, Any]] = [
    ("Text", "", ""),
    ("Text", " é😀\u202e\u200b", " é😀\u202e\u200b"),
    ("Line", " x ", " x "),
    ("Email", "A.b+c/d@Example.co", "A.b+c/d@Example.co"),
    (
        "Id",
        "0199F3F0-7B1C-7000-8000-000000000001",
        UUID("0199f3f0-7b1c-7000-8000-000000000001"),
    ),
    ("Boolean", True, True),
    ("Flag", "true", True),
    ("Flag", "false", False),
    ("Integer", 3, 3),
    ("Number", "12", 12),
    ("Number", "-1", -1),
    ("Instant", "2026-01-02T03:04:05.6+02:00", datetime(2026, 1, 2, 1, 4, 5, 600000, UTC)),
    ("Instant", "2026-01-02t03:04:05z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ("Instant", "0001-01-01T00:00:00+14:00", datetime.min.replace(tzinfo=UTC)),
    ("Instant", "9999-12-31T23:59:59-14:00", datetime.max.replace(tzinfo=UTC)),
    ("Instant", "0000-02-29T00:00:00Z", datetime.min.replace(tzinfo=UTC)),
    ("Instant", "2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
    ("Instant", "2026-01-02T03:04:05.12345678901Z", datetime(2026, 1, 2, 3, 4, 5, 123456, UTC)),
]

REFUSED: list[tuple[str, Any]] = [
    *[("Text", value) for value in ("a\x00b", "\ud800", 5, True, None, b"x")],
    *[("Line", value) for value in ("", " ", "\t\n", "\u2003", "\x00", "\u200b\ufeff\u202e")],
    *[
        ("Email", value)
        for value in ("", "a", "a@b", "a@b.", "@b.co", "é@b.co", "a@bé.co", "a b@c.de", "a@b.co\n")
    ],
    *[("Email", value) for value in (".a@b.co", "a.@b.co", "a..b@c.de", "a" * 65 + "@b.co")],
    ("Email", "a@" + "b" * 250 + ".co"),
    *[
        ("Id", value)
        for value in (
            "0199f3f07b1c70008000000000000001",
            "{0199f3f0-7b1c-7000-8000-000000000001}",
            "urn:uuid:0199f3f0-7b1c-7000-8000-000000000001",
            " 0199f3f0-7b1c-7000-8000-000000000001",
            "0199f3f0-7b1c-7000-8000-00000000000１",
            "1",
            1,
        )
    ],
    *[("Boolean", value) for value in (1, "true", "1", None)],
    *[("Flag", value) for value in ("1", "True", "yes", "")],
    *[("Integer", value) for value in ("1", 1.0, True, 1.5)],
    *[("Number", value) for value in ("1.0", " 1", "1_0", "+1", "", "１", "9" * 19)],
    *[
        ("Instant", value)
        for value in (
            "2026-01-02",
            "2026-01-02T03:04:05",
            "1234567890",
            1234567890,
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00+01:75",
            "0000-02-30T00:00:00Z",
            "",
        )
    ],
]


@pytest.mark.parametrize(("kind", "given", "wanted"), ACCEPTED, ids=repr)
def test_each_type_takes_its_values(kind: str, given: object, wanted: object) -> None:
    assert TypeAdapter(getattr(types, kind)).validate_python(given) == wanted


@pytest.mark.parametrize(("kind", "given"), REFUSED, ids=repr)
def test_each_type_refuses_every_other_spelling(kind: str, given: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(getattr(types, kind)).validate_python(given)


def test_a_length_counts_characters_as_postgresql_does() -> None:
    short = TypeAdapter(Annotated[types.Line, Field(max_length=2)])

    assert short.validate_python("😀é") == "😀é"
    with pytest.raises(ValidationError):
        short.validate_python("abc")


def test_a_moment_leaves_in_utc_with_a_z() -> None:
    moment = TypeAdapter(types.Instant).validate_python("2026-01-02T03:04:05+02:00")

    assert TypeAdapter(types.Instant).dump_json(moment) == b'"2026-01-02T01:04:05Z"'
