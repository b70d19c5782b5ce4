"""What an Idempotency-Key may look like, and what it stands for."""

import pytest

from kingpost.idempotency import KeyedRequest, fingerprint_of, parse_key
from kingpost.idempotency.problems import IdempotencyKeyInvalid, IdempotencyKeyRequired


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        (b'"abc"', "abc"),
        (b"abc", "abc"),
        (b" \tabc ", "abc"),
        (b'"a b, c/d"', "a b, c/d"),
        (rb'"a\"b\\c"', r'a"b\c'),
        (b"8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        (b'"' + b"k" * 255 + b'"', "k" * 255),
        (b'"' + rb"\\" * 255 + b'"', "\\" * 255),
    ],
)
def test_a_string_is_read_with_quotes_and_without(sent: bytes, key: str) -> None:
    assert parse_key([sent]) == key


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b'""',
        b'"',
        b'"a',
        b'a"',
        b"a b",
        b"a/b",
        b'"a\x7f"',
        b'"\xe9"',
        b"k" * 256,
        b'"' + b"k" * 256 + b'"',
        rb'"a\b"',
        b'"a";p=1',
        b'"a", "b"',
    ],
)
def test_anything_else_is_refused(sent: bytes) -> None:
    with pytest.raises(IdempotencyKeyInvalid):
        parse_key([sent])


def test_two_keys_are_refused() -> None:
    with pytest.raises(IdempotencyKeyInvalid):
        parse_key([b"a", b"a"])


def test_a_missing_key_is_told_apart() -> None:
    with pytest.raises(IdempotencyKeyRequired):
        parse_key([])


def test_the_fingerprint_does_not_depend_on_how_the_json_is_written() -> None:
    one = fingerprint_of("POST", "/a", b"", {"a": 1, "b": [1, 2]})

    assert fingerprint_of("POST", "/a", b"", {"b": [1, 2], "a": 1}) == one


def test_the_fingerprint_takes_the_whole_request() -> None:
    document = {"a": [1, 2]}
    prints = {
        fingerprint_of("POST", "/a", b"", document),
        fingerprint_of("PUT", "/a", b"", document),
        fingerprint_of("POST", "/b", b"", document),
        fingerprint_of("POST", "/a", b"x=1", document),
        fingerprint_of("POST", "/a", b"", {"a": [2, 1]}),
        fingerprint_of("POST", "/a", b"", None),
        fingerprint_of("POST", "/a", b"", {"a": "\ud800"}),
    }

    assert len(prints) == 7


def test_the_key_is_in_no_representation() -> None:
    keyed = KeyedRequest("key:1", "very-secret", "POST /a", b"", is_sealed=True)

    assert "very-secret" not in repr(keyed)
    assert len(keyed.key_hash) == 32


def test_the_lock_is_of_principal_and_key() -> None:
    locks = {
        KeyedRequest(principal, key, "POST /a", b"", is_sealed=False).lock
        for principal in ("key:1", "key:2")
        for key in ("a", "b")
    }

    assert len(locks) == 4
    assert all(-(2**63) <= lock < 2**63 for lock in locks)
