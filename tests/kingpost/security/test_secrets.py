from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kingpost.security import derive, hash_key, key_id_of, new_key

ID = UUID("0199f3f0-7b1c-7000-8000-000000000001")
KEY = new_key(ID, "test")


def test_a_new_key_carries_its_id_and_enough_randomness() -> None:
    one, other = new_key(ID, "production"), new_key(ID, "production")

    assert one != other
    assert key_id_of(one) == ID
    assert one.startswith("kp_production_")
    assert len(one) - len("kp_production_") - 32 - 6 == 32


@given(st.data())
def test_every_typing_error_is_noticed_without_the_database(data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(KEY) - 1))
    letter = data.draw(st.sampled_from("abcXYZ019_").filter(lambda c: c != KEY[position]))

    assert key_id_of(KEY[:position] + letter + KEY[position + 1 :]) is None


@pytest.mark.parametrize("text", ["", "kp_", "Bearer x", "kp_test_" + "0" * 70, "é" * 80])
def test_what_is_no_key_has_no_id(text: str) -> None:
    assert key_id_of(text) is None


def test_the_hash_depends_on_key_and_pepper() -> None:
    key = new_key(ID, "test")

    assert hash_key(key, b"a") == hash_key(key, b"a")
    assert len({hash_key(key, b"a"), hash_key(key, b"b"), hash_key(key + "x", b"a")}) == 3


def test_each_purpose_gets_a_key_of_its_own() -> None:
    assert derive("secret", "keys") != derive("secret", "cursors")
