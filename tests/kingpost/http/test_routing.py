from uuid import UUID

import httpx
from fastapi import FastAPI

WRITER = {"Authorization": "books:write"}
BOOK = {"title": "Sketch"}
BOOK_ID = UUID("0199f3f0-7b1c-7000-8000-000000000001")


async def test_the_checks_come_in_the_order_of_the_status_policy(books: httpx.AsyncClient) -> None:
    async def put(**given: object) -> tuple[int, str]:
        request = {"headers": {}, "content": b"", "params": {}} | given
        answer = await books.request("PUT", f"/v1/books/{BOOK_ID}", **request)
        return answer.status_code, answer.json().get("type", "").removeprefix("/problems/")

    json = WRITER | {"Content-Type": "application/json"}
    bad_query = {"x": "1"}

    assert await put(params=bad_query, content=b"{") == (401, "unauthenticated")
    reader = {"Authorization": "books:read"}
    assert await put(headers=reader, params=bad_query, content=b"{") == (403, "forbidden")
    assert await put(headers=WRITER, params=bad_query, content=b"{") == (422, "unknown-parameter")
    assert await put(headers=WRITER, content=b"{") == (415, "unsupported-media-type")
    assert await put(headers=json, content=b"{" * 51) == (413, "content-too-large")
    assert await put(headers=json, content=b"{") == (400, "malformed-json")
    assert await put(headers=json, content=b"{}") == (422, "validation-error")
    assert await put(headers=json, content=b'{"title": "x"}') == (200, "")


async def test_a_route_may_have_a_body_limit_of_its_own(books: httpx.AsyncClient) -> None:
    long = {"title": "x" * 100}

    post = await books.post("/v1/books", json=long, headers=WRITER)
    put = await books.put(f"/v1/books/{BOOK_ID}", json=long, headers=WRITER)

    assert (post.status_code, put.status_code) == (201, 413)
    assert put.headers["connection"] == "close"


async def test_a_body_without_a_length_is_cut_at_the_limit_too(books: httpx.AsyncClient) -> None:
    sent = 0

    async def endless():  # type: ignore[no-untyped-def] # a generator for the client
        nonlocal sent
        while True:
            sent += 100
            yield b"x" * 100

    headers = WRITER | {"Content-Type": "application/json"}
    answer = await books.post("/v1/books", content=endless(), headers=headers)

    assert answer.status_code == 413
    assert sent < 2000


async def test_a_model_of_parameters_counts_as_its_fields(books: httpx.AsyncClient) -> None:
    good = await books.get("/v1/books", params={"author": "Ada", "year": "1843"})
    unknown = await books.get("/v1/books", params={"autor": "Ada"})
    repeated = await books.get("/v1/books?year=1&year=2")

    assert good.json()[:2] == ["Ada", 1843]
    assert unknown.json()["errors"][0]["detail"].endswith("Did you mean author?")
    assert repeated.status_code == 422


async def test_an_impossible_id_is_not_found_before_the_body_matters(
    books: httpx.AsyncClient,
) -> None:
    answer = await books.get("/v1/books/1")

    assert answer.status_code == 404
    assert "errors" not in answer.json()


async def test_a_bug_is_a_problem_without_a_stack_trace(books: httpx.AsyncClient) -> None:
    answer = await books.get("/v1/books/broken/1")

    assert answer.status_code == 500
    assert answer.json()["type"] == "/problems/internal-error"
    assert "ZeroDivision" not in answer.text


async def test_every_method_of_a_path_is_allowed_wherever_its_route_is(
    books: httpx.AsyncClient,
) -> None:
    one = await books.delete(f"/v1/books/{BOOK_ID}")
    options = await books.options("/v1/books")
    nothing = await books.options("/v1/nothing")
    docs = await books.post("/docs")

    assert one.headers["allow"] == "GET, HEAD, OPTIONS, PUT"
    assert options.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert nothing.status_code == 404
    assert docs.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_the_reference_needs_no_internet(books: httpx.AsyncClient) -> None:
    page = await books.get("/docs")
    assets = [word for word in page.text.split('"') if word.startswith("/docs/assets/")]

    assert len(assets) == 3
    for path in [*assets, "/openapi.json"]:
        assert (await books.get(path)).status_code == 200
    assert "https://" not in page.text


async def test_the_document_declares_every_problem_a_route_can_answer_with(
    library: FastAPI,
) -> None:
    paths = library.openapi()["paths"]

    assert paths["/v1/books"]["get"]["responses"].keys() == {"200", "400", "422", "503", "default"}
    assert paths["/v1/books"]["post"]["responses"].keys() == {
        *("201", "400", "401", "403", "413", "415", "422", "503", "default")
    }
    assert paths["/v1/books"]["post"]["security"] == [{"ApiKey": ["books:write"]}]
