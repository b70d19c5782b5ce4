from collections.abc import Callable
from urllib.parse import parse_qsl

import pytest

from kingpost.http.query import check_query, read_query
from kingpost.problems import Invalid, Problem, UnknownParameter

KNOWN = frozenset({"limit", "cursor", "q"})


@pytest.mark.parametrize("query", [b"", b"limit=1", b"q=%C3%A9+x&limit=2", b"q=", b"&&limit=1&"])
def test_known_parameters_given_once_pass(query: bytes) -> None:
    check_query(query, KNOWN)


def test_an_unknown_parameter_is_refused_and_the_nearest_name_suggested() -> None:
    with pytest.raises(UnknownParameter) as caught:
        check_query(b"limt=1", KNOWN)

    [error] = caught.value.errors
    assert (error.pointer, error.code) == ("/query/limt", "unknown_parameter")
    assert "limit" in error.detail


def test_a_repeated_parameter_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        check_query(b"limit=1&limit=2", KNOWN)

    assert [error.pointer for error in caught.value.errors] == ["/query/limit"]


@pytest.mark.parametrize("query", [b"q=%ff", b"%ff=1", b"q=%C3", b"q=\xff"])
def test_bytes_that_are_not_utf8_are_refused(query: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        check_query(query, KNOWN)

    assert caught.value.errors[0].code == "not_utf8"


def test_a_hostile_name_is_not_echoed_as_it_is() -> None:
    with pytest.raises(UnknownParameter) as caught:
        check_query(b"a%0d%0aX:%20y/~%C3%A9" + b"z" * 500, KNOWN)

    pointer = caught.value.errors[0].pointer
    assert pointer.isprintable()
    assert len(pointer) < 60


@pytest.mark.parametrize(
    "query",
    [
        *(
            b"",
            b"limit=1",
            b"q=%C3%A9+x&limit=2",
            b"q=",
            b"&&limit=1&",
            b"limit",
            b"q=a=b",
            b"q=%26",
        ),
        *(b"limt=1", b"limit=1&limit=2", b"q=%ff", b"q=\xff", b"=1", b"limit=1&x=2&x=3", b"%71=1"),
    ],
)
def test_a_query_is_read_as_it_is_checked(query: bytes) -> None:
    def lenient() -> dict[str, str]:
        check_query(query, KNOWN)
        return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))

    assert outcome(lambda: read_query(query, KNOWN)) == outcome(lenient)


def outcome(read: Callable[[], object]) -> object:
    try:
        return read()
    except Problem as problem:
        return type(problem), problem.errors
