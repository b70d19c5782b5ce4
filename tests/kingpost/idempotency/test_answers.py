"""Remembered answers, open and sealed."""

import json
from dataclasses import replace
from typing import Any

import pytest

from kingpost.idempotency.answers import StoredAnswer, read_answer
from kingpost.idempotency.problems import IdempotencyAnswerUnreadable
from kingpost.idempotency.requests import KeyedRequest

SECRET = b"s" * 32
ANSWER = StoredAnswer(201, [(b"location", b"/keys/1"), (b"x-name", b"\xe9")], b"{}\n\x00")
SEALED = KeyedRequest("key:1", "k", "POST /keys", b"f" * 32, is_sealed=True)


def read(keyed: KeyedRequest, columns: dict[str, Any], secret: bytes = SECRET) -> StoredAnswer:
    headers = json.dumps(columns["headers"])
    is_sealed = columns["is_sealed"]
    return read_answer(
        columns["status"], headers, columns["body"], keyed, secret, is_sealed=is_sealed
    )


@pytest.mark.parametrize("is_sealed", [False, True])
def test_an_answer_comes_back_as_it_was(is_sealed: bool) -> None:
    keyed = replace(SEALED, is_sealed=is_sealed)

    assert read(keyed, ANSWER.columns(keyed, SECRET)) == ANSWER


def test_a_sealed_answer_is_never_sealed_the_same_way() -> None:
    assert len({ANSWER.columns(SEALED, SECRET)["body"] for _ in range(5)}) == 5


@pytest.mark.parametrize(
    "change",
    [{"key": "other"}, {"principal": "key:2"}, {"fingerprint": b"g" * 32}],
)
def test_a_sealed_answer_opens_for_nothing_else(change: dict[str, Any]) -> None:
    columns = ANSWER.columns(SEALED, SECRET)

    with pytest.raises(IdempotencyAnswerUnreadable):
        read(replace(SEALED, **change), columns)


def test_a_sealed_answer_needs_the_secret_of_the_service() -> None:
    with pytest.raises(IdempotencyAnswerUnreadable):
        read(SEALED, ANSWER.columns(SEALED, SECRET), b"t" * 32)
