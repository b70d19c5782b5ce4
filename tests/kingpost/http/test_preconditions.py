"""What the headers of RFC 9110 section 13 mean, and ETags where FastAPI answers by itself."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI
from tests.kingpost.http.conftest import Book

from kingpost.http import IfMatch, Precondition, Route
from kingpost.http.preconditions import is_known
from kingpost.problems import PreconditionFailed, PreconditionRequired
from kingpost.projection import Document

TAG = '"3-0a1b2c"'


async def generator() -> AsyncIterator[int]:
    yield 1  # no plan is made for a generator


def router() -> APIRouter:
    made = APIRouter(route_class=Route)

    @made.get("/planned")
    async def planned() -> Document[Book]:
        return Document(b'{"title":"x"}', TAG)

    @made.get("/unplanned")
    async def unplanned(_: Annotated[int, Depends(generator)]) -> Document[Book]:
        return Document(b'{"title":"x"}', TAG)

    @made.get("/untagged")
    async def untagged(_: Annotated[int, Depends(generator)]) -> Document[Book]:
        return Document(b'{"title":"x"}')

    @made.delete("/tags", status_code=200)
    async def tags(match: IfMatch) -> list[str] | None:
        return None if match.tags is None else sorted(match.tags)

    return made


@pytest.fixture
async def books(library: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    library.include_router(router())
    transport = httpx.ASGITransport(library)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("path", ["/planned", "/unplanned"])
async def test_a_document_has_its_etag_whoever_answers(books: httpx.AsyncClient, path: str) -> None:
    whole = await books.get(path)
    known = await books.get(path, headers={"If-None-Match": f"W/{TAG}"})

    assert (whole.status_code, whole.headers["ETag"], whole.json()) == (200, TAG, {"title": "x"})
    assert (known.status_code, known.headers["ETag"], known.content) == (304, TAG, b"")
    assert "content-type" not in known.headers


async def test_a_document_without_an_etag_is_always_sent(books: httpx.AsyncClient) -> None:
    answer = await books.get("/untagged", headers={"If-None-Match": "*"})

    assert answer.status_code == 200
    assert "ETag" not in answer.headers


@pytest.mark.parametrize(
    ("sent", "tags"),
    [
        ([], None),
        (["*"], ["*"]),
        ([' "a" '], ['"a"']),
        (['"a","b" , W/"c"'], ['"a"', '"b"', 'W/"c"']),
        ([', ,"a",, "b",'], ['"a"', '"b"']),
        (['"a"', '"b,c"'], ['"a"', '"b,c"']),
        (['""'], ['""']),
    ],
)
async def test_if_match_is_a_list_over_all_its_lines(
    books: httpx.AsyncClient, sent: list[str], tags: Any
) -> None:
    answer = await books.request("DELETE", "/tags", headers=[("If-Match", line) for line in sent])

    assert (answer.status_code, answer.json()) == (200, tags)


@pytest.mark.parametrize(
    "sent", ["", ",", "a", '"a', "'a'", '"a" "b"', '*, "a"', 'w/"a"', '"a b"', '"a"x', "**"]
)
async def test_garbage_in_if_match_is_a_bad_request(books: httpx.AsyncClient, sent: str) -> None:
    answer = await books.request("DELETE", "/tags", headers={"If-Match": sent})

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-request")
    assert not is_known([(b"if-none-match", sent.encode())], '"a"')


def test_a_precondition_compares_strongly() -> None:
    Precondition(frozenset({"*"})).check('"a"')
    Precondition(frozenset({'"a"', '"b"'})).check('"b"')
    with pytest.raises(PreconditionRequired):
        Precondition(None).check('"a"')
    for tags in ({'W/"a"'}, {'"b"'}, {'"A"'}):
        with pytest.raises(PreconditionFailed):
            Precondition(frozenset(tags)).check('"a"')


@pytest.mark.parametrize("none_of", ["*", '"a"'])
def test_a_change_that_excludes_what_is_there_fails_whatever_if_match_says(none_of: str) -> None:
    for tags in (None, frozenset({"*"}), frozenset({'"a"'})):
        with pytest.raises(PreconditionFailed):
            Precondition(tags, frozenset({none_of})).check('"a"')
    Precondition(frozenset({"*"}), frozenset({'"b"'})).check('"a"')


@pytest.mark.parametrize("path", ["/planned", "/unplanned"])
@pytest.mark.parametrize(
    ("sent", "status"),
    [("*", 200), (f'"x", {TAG}', 200), ('"x"', 412), (f"W/{TAG}", 412), ("x", 400)],
)
async def test_a_get_with_if_match_is_answered_only_with_that_document(
    books: httpx.AsyncClient, path: str, sent: str, status: int
) -> None:
    answer = await books.get(path, headers={"If-Match": sent})
    known = await books.get(path, headers={"If-Match": sent, "If-None-Match": TAG})

    assert answer.status_code == status
    assert known.status_code == (304 if status == 200 else status)
