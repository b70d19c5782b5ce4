"""Every answer that is not 2xx is a problem of RFC 9457, whoever made it."""

from typing import Any

import httpx
import pytest

NOBODY = "0199f3f0-7b1c-7000-8000-000000000000"

CASES: list[tuple[str, str, int, str]] = [
    ("GET", "/nothing", 404, "not-found"),
    ("GET", "/api/v1/users/x/y/z", 404, "not-found"),
    ("GET", "//api/v1/users", 404, "not-found"),
    ("GET", f"/api/v1/users/{NOBODY}", 404, "not-found"),
    ("PUT", "/api/v1/users", 405, "method-not-allowed"),
    ("TRACE", "/api/v1/users", 405, "method-not-allowed"),
    ("GET", "/api/v1/users?limit=0", 422, "validation-error"),
    ("GET", "/api/v1/users?limt=1", 422, "unknown-parameter"),
    ("GET", "/api/v1/users?cursor=x", 400, "invalid-cursor"),
]


@pytest.mark.parametrize(("method", "path", "status", "slug"), CASES)
async def test_every_failure_is_a_problem_with_the_id_of_the_request(
    client: httpx.AsyncClient, method: str, path: str, status: int, slug: str
) -> None:
    answer = await client.request(method, path, headers={"X-Request-Id": "abc-1"})

    body = answer.json()
    assert answer.status_code == body["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["type"] == f"/problems/{slug}"
    assert body["request_id"] == answer.headers["x-request-id"] == "abc-1"
    assert body["title"]
    assert len(answer.content) < 4096


async def test_the_type_of_a_problem_leads_to_its_explanation(
    anonymous: httpx.AsyncClient,
) -> None:
    answer = await anonymous.get("/api/v1/users")
    page = await anonymous.get(answer.json()["type"])
    index = await anonymous.get("/problems")

    assert page.status_code == 200
    assert page.json()["title"] == answer.json()["title"]
    assert page.json() in index.json()["items"]
    assert (await anonymous.get("/problems/unheard-of")).status_code == 404


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/api/v1/users", "GET, HEAD, OPTIONS, POST"),
        ("/api/v1/users/", "GET, HEAD, OPTIONS, POST"),
        (f"/api/v1/users/{NOBODY}", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/api/v1/posts:batch", "OPTIONS, POST"),
    ],
)
async def test_options_and_405_name_all_methods(
    anonymous: httpx.AsyncClient, path: str, allow: str
) -> None:
    options = await anonymous.options(path)
    refused = await anonymous.put(path)

    assert (options.status_code, options.content) == (204, b"")
    assert refused.status_code == 405
    assert options.headers["allow"] == refused.headers["allow"] == allow


async def test_head_is_get_without_the_body(client: httpx.AsyncClient, make_user: Any) -> None:
    user = await make_user()
    for path in ("/api/v1/users", f"/api/v1/users/{user['id']}", f"/api/v1/users/{NOBODY}"):
        head, get = await client.head(path), await client.get(path)

        assert head.status_code == get.status_code
        assert head.content == b""
        assert head.headers["content-type"] == get.headers["content-type"]


async def test_a_trailing_slash_answers_alike_without_a_redirect(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    user = await make_user()
    for path in ("/api/v1/users", f"/api/v1/users/{user['id']}", "/api/v1/posts"):
        plain, slashed = await client.get(path), await client.get(path + "/")

        assert (slashed.status_code, slashed.json()) == (200, plain.json())
    assert (await client.get("/api/v1/users//")).status_code == 404


async def test_bodies_that_are_not_plain_json_are_refused(client: httpx.AsyncClient) -> None:
    async def post(content: bytes, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await client.post("/api/v1/users", content=content, headers=named)

    good = b'{"email": "a@b.co"}'
    json = "application/json"
    assert (await post(good)).status_code == 415
    assert (await post(good, content_type="text/plain")).headers["accept-post"] == json
    assert (await post(good, content_type=json, content_encoding="gzip")).status_code == 415
    assert (await post(good, content_type=f"{json}; charset=latin-1")).status_code == 415
    assert (await post(b'{"email":', content_type=json)).status_code == 400
    assert (await post(b"", content_type=json)).status_code == 400
    assert (await post(b'{"a": "' + b"x" * 1_048_576, content_type=json)).status_code == 413
    assert (await post(good, content_type=f"{json}; charset=UTF-8")).status_code == 201


async def test_answers_do_not_echo_the_input(client: httpx.AsyncClient) -> None:
    secret = "hunter2-" * 3
    answers = [
        await client.post("/api/v1/users", json={"email": secret, "password": secret}),
        await client.post("/api/v1/users", content=secret, headers={"Content-Type": "a/b"}),
        await client.get("/api/v1/users", params={"is_active": secret}),
        await client.get("/api/v1/users", params={"cursor": secret}),
    ]

    for answer in answers:
        assert answer.status_code in {400, 415, 422}
        assert secret not in answer.text
