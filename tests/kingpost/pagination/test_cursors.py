import string
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from math import inf, isnan, nan
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kingpost.pagination.cursors import Cursors, Position, Side, signature
from kingpost.pagination.values import dump
from kingpost.problems import InvalidCursor

CURSORS = Cursors(b"only for tests")
QUERY = "GET /books"

values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8")),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.datetimes(timezones=st.just(timezone(timedelta(hours=5, minutes=30)))),
    st.dates(),
    st.uuids(),
    st.decimals(allow_nan=False),
)


@given(st.sampled_from(Side), st.lists(values, min_size=1, max_size=4))
def test_a_place_comes_back_exactly(side: Side, keys: list[Any]) -> None:
    position = Position(side, tuple(keys))
    cursor = CURSORS.write(position, QUERY)

    found = CURSORS.read(cursor, QUERY)
    assert found == position
    assert [type(key) for key in found.values] == [type(key) for key in keys]
    assert set(cursor) <= set(string.ascii_letters + string.digits + "-_")


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 11, 22, 4, 51, 16, 886938, tzinfo=UTC),
        date(2026, 2, 28),
        UUID("01a20198-2116-705e-827f-a76c2abd8b0e"),
        2**63,
        -0.1,
        inf,
        Decimal("1.10"),
        True,
        0,
        "",
        "\U0001f409 \u0000",
        None,
    ],
    ids=repr,
)
def test_values_of_every_kind_come_back(value: Any) -> None:
    position = Position(Side.AFTER, (value,))
    (found,) = CURSORS.read(CURSORS.write(position, QUERY), QUERY).values
    assert (type(found), str(found)) == (type(value), str(value))


def test_not_a_number_comes_back() -> None:
    (found,) = CURSORS.read(CURSORS.write(Position(Side.AFTER, (nan,)), QUERY), QUERY).values
    assert isnan(found)


def test_a_value_that_no_cursor_can_hold_is_named() -> None:
    with pytest.raises(TypeError, match="bytes"):
        dump(b"x")


def test_every_change_of_a_single_character_is_refused() -> None:
    cursor = CURSORS.write(Position(Side.AFTER, (uuid4(), "Ada")), QUERY)
    alphabet = string.ascii_letters + string.digits + "-_=+/. \n\u00e9"

    for place, right in enumerate(cursor):
        for wrong in alphabet.replace(right, ""):
            with pytest.raises(InvalidCursor):
                CURSORS.read(cursor[:place] + wrong + cursor[place + 1 :], QUERY)
    for place in range(len(cursor)):
        with pytest.raises(InvalidCursor):
            CURSORS.read(cursor[:place] + cursor[place + 1 :], QUERY)
        with pytest.raises(InvalidCursor):
            CURSORS.read(cursor[:place] + "A" + cursor[place:], QUERY)


@given(st.text(st.characters(exclude_categories=[])))
def test_whatever_is_sent_is_read_or_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        CURSORS.read(cursor, QUERY)


def test_a_very_long_cursor_is_refused() -> None:
    with pytest.raises(InvalidCursor, match="too long"):
        CURSORS.read("A" * 8193, QUERY)


def test_a_cursor_of_another_query_or_secret_is_refused() -> None:
    position = Position(Side.AFTER, (1,))
    cursor = CURSORS.write(position, QUERY)

    with pytest.raises(InvalidCursor):
        CURSORS.read(cursor, "GET /authors")
    with pytest.raises(InvalidCursor):
        Cursors(b"another secret").read(cursor, QUERY)
    with pytest.raises(InvalidCursor):
        CURSORS.read(cursor, QUERY + "\ud800")


def test_a_query_and_an_order_cannot_be_mistaken_for_each_other() -> None:
    assert signature('a"', [["b", False, False]]) != signature("a", [['"b', False, False]])
    assert signature("a", [["b", False, False]]) != signature("a", [["b", True, False]])


def test_the_rows_of_a_side_and_of_its_others_are_all_rows() -> None:
    for side in Side:
        assert side.others.others is side
        assert side.others.forward is not side.forward
        assert side.others.inclusive is not side.inclusive
