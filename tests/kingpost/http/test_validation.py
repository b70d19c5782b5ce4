from typing import Any

import httpx
import pytest
from fastapi.exceptions import RequestValidationError

from kingpost.http.validation import MAX_ERRORS, as_problem, pointer

WRITER = {"Authorization": "books:write"}


@pytest.mark.parametrize(
    ("body", "where", "code", "detail"),
    [
        ({}, "/body/title", "missing", "The field is required."),
        ([], "/body", "model_attributes_type", "The value is not an object."),
        ({"title": "x", "tile": 1}, "/body/tile", "extra_forbidden", "There is no such field."),
    ],
)
async def test_a_finding_says_where_and_why_in_plain_words(
    books: httpx.AsyncClient, body: object, where: str, code: str, detail: str
) -> None:
    answer = await books.post("/v1/books", json=body, headers=WRITER)

    assert answer.json()["errors"] == [{"pointer": where, "code": code, "detail": detail}]


def test_a_pointer_escapes_what_a_client_may_have_put_into_a_name() -> None:
    assert pointer(("body", 3, "a/b~c\r\nd\u2028é" + "z" * 99)).startswith(
        r"/body/3/a~1b~0c??d\u2028\xe9zzz"
    )
    assert len(pointer(("x" * 500,))) == 61


def test_a_hundred_findings_are_named_and_no_more() -> None:
    def findings(count: int) -> list[dict[str, Any]]:
        return [{"loc": ("body", n), "type": "missing", "msg": "Missing"} for n in range(count)]

    for count, named in ((MAX_ERRORS, MAX_ERRORS), (MAX_ERRORS + 1, MAX_ERRORS)):
        errors = as_problem(RequestValidationError(findings(count))).errors
        assert [error.pointer for error in errors] == [f"/body/{n}" for n in range(named)]
