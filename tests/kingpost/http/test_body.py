import json

import pytest

from kingpost.http.body import MAX_DEPTH, MAX_VALUES, parse
from kingpost.problems import ContentTooLarge, Invalid, MalformedJson


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b'{"email":',
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 1} {"b": 2}',
        b'{"a": 1, "a": 2}',
        b'{"outer": {"a": 1, "a": 1}}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": "\xff"}',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b"[" * 100_000,
        b"1" * 20_000,
        b'{"a": "line\nbreak"}',
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_what_two_parsers_could_read_differently_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedJson) as caught:
        parse(raw)

    assert caught.value.detail
    assert len(caught.value.detail) < 120


def test_a_number_that_no_double_can_hold_is_invalid_not_infinite() -> None:
    with pytest.raises(Invalid):
        parse(b'{"a": 1e400}')


@pytest.mark.parametrize(
    "value",
    [{}, [], None, True, 0, -1.5, "é😀\u2028", {"a": [{"b": None}]}, 2**70],
    ids=repr,
)
def test_valid_json_is_read_as_it_was_written(value: object) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    "raw",
    [b"[" + b"0," * MAX_VALUES + b"0]", b"[" + b"[[]]," * (MAX_VALUES // 2) + b"0]"],
    ids=["wide", "wide and deep"],
)
def test_a_body_of_too_many_values_is_too_large(raw: bytes) -> None:
    with pytest.raises(ContentTooLarge):
        parse(raw)
    parse(raw[: raw.index(b",")] + b"]")


def test_punctuation_inside_of_text_is_not_counted() -> None:
    value = ['[{,"\\', "[{," * 500_000, "\U0001f600" * 100_000]

    assert parse(json.dumps(value).encode()) == value


def test_the_deepest_nesting_that_is_allowed_is_read() -> None:
    parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
