from datetime import UTC, datetime

import pytest
from benchmarks.service.validation import Differs, normalised

ID = "01a20104-2097-769b-9876-a432fa41e35f"


def test_the_same_instant_written_in_other_ways_is_the_same() -> None:
    ways = ["2026-11-22T04:15:00.123Z", "2026-11-22T05:15:00.123000+01:00"]
    found = [normalised({"at": 1, "made_at": way}, ["made_at"], milliseconds=False) for way in ways]

    assert found[0] == found[1]


def test_microseconds_count_unless_told_otherwise() -> None:
    one, two = "2026-11-22T04:15:00.123456Z", "2026-11-22T04:15:00.123Z"

    def instants(*, milliseconds: bool) -> set[datetime]:
        given = ({"made_at": text} for text in (one, two))
        found = (normalised(doc, ["made_at"], milliseconds=milliseconds) for doc in given)
        return {document["made_at"] for document in found}

    assert len(instants(milliseconds=False)) == 2
    assert instants(milliseconds=True) == {datetime(2026, 11, 22, 4, 15, 0, 123_000, UTC)}


def test_ids_are_compared_as_ids_and_more_fields_are_left_out() -> None:
    author = {"id": ID.upper(), "email": "e", "name": None, "posts": 3}

    assert normalised({"author": author, "version": 1}, ["author"], milliseconds=False) == {
        "author": {"id": ID, "email": "e", "name": None}
    }


@pytest.mark.parametrize(
    ("document", "field", "told"),
    [
        ({}, "id", "without id"),
        ([], "id", "an object is wanted"),
        ({"id": 7}, "id", "id is 7"),
        ({"id": "x"}, "id", "id is 'x'"),
        ({"made_at": "2026-11-22T04:15:00"}, "made_at", "made_at is"),
        ({"made_at": None}, "made_at", "made_at is None"),
        ({"author": None}, "author", "an object is wanted"),
        ({"author": {"id": ID}}, "author", "without email, name"),
    ],
)
def test_what_cannot_be_compared_is_told(document: object, field: str, told: str) -> None:
    with pytest.raises(Differs, match=told):
        normalised(document, [field], milliseconds=False)  # type: ignore[arg-type] # wrong on purpose
