from typing import Any
from uuid import uuid4

import httpx
import pytest

POSTS = "/api/v1/posts"


async def test_a_post_shows_its_author(client: httpx.AsyncClient, make_user: Any) -> None:
    ada = await make_user(name="Ada")
    created = await client.post(
        POSTS, json={"title": "On engines", "content": "", "author_id": ada["id"]}
    )

    body = created.json()
    assert created.status_code == 201
    assert body["author"] == {"id": ada["id"], "email": ada["email"], "name": "Ada"}
    assert (body["title"], body["content"]) == ("On engines", "")
    assert (await client.get(created.headers["location"])).json() == body


async def test_an_author_who_does_not_exist_is_an_invalid_reference(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post(
        POSTS, json={"title": "x", "content": "y", "author_id": str(uuid4())}
    )

    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/invalid-reference"
    assert answer.json()["errors"][0]["pointer"] == "/body/author_id"


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", "x" * 201), ("title", ""), ("title", None), ("content", "x" * 2001), ("q", 1)],
)
async def test_limits_hold_for_create_and_patch(
    client: httpx.AsyncClient, make_user: Any, make_post: Any, field: str, value: object
) -> None:
    ada = await make_user()
    post = await make_post(ada)
    good = {"title": "x" * 200, "content": "é" * 2000, "author_id": ada["id"]}

    created = await client.post(POSTS, json=good | {field: value})
    patched = await client.patch(
        f"{POSTS}/{post['id']}", json={field: value}, headers={"If-Match": "*"}
    )

    for answer in (created, patched):
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == f"/body/{field}"
    assert (await client.post(POSTS, json=good)).status_code == 201


async def test_a_post_is_changed_and_deleted(
    client: httpx.AsyncClient, make_user: Any, make_post: Any
) -> None:
    post = await make_post(await make_user())

    changed = await client.patch(
        f"{POSTS}/{post['id']}", json={"title": "On looms"}, headers={"If-Match": "*"}
    )
    deleted = await client.delete(f"{POSTS}/{post['id']}", headers={"If-Match": "*"})

    assert changed.json() == post | {
        "title": "On looms",
        "updated_at": changed.json()["updated_at"],
    }
    assert deleted.status_code == 204
    assert (await client.get(f"{POSTS}/{post['id']}")).status_code == 404


async def test_lists_are_filtered_by_author_and_time(
    client: httpx.AsyncClient, make_user: Any, make_post: Any
) -> None:
    ada, grace = await make_user("ada@example.com"), await make_user("grace@example.com")
    first, second = await make_post(ada), await make_post(grace)

    async def found(**query: str) -> list[str]:
        answer = await client.get(POSTS, params=query)
        assert answer.status_code == 200, answer.text
        return [post["id"] for post in answer.json()["items"]]

    assert await found() == [second["id"], first["id"]]
    assert await found(author_id=ada["id"]) == [first["id"]]
    assert await found(author_id=str(uuid4())) == []
    assert await found(created_since=second["created_at"]) == [second["id"]]
    assert await found(created_until=second["created_at"]) == [first["id"]]


async def test_a_search_finds_words_phrases_and_exclusions_best_match_first(
    client: httpx.AsyncClient, make_user: Any, make_post: Any
) -> None:
    ada = await make_user()
    body = await make_post(ada, "On looms", "An engine may weave algebraic patterns")
    title = await make_post(ada, "The analytical engine", "It has a mill and a store")
    await make_post(ada, "On tea", "100% of cups_")

    async def found(q: str) -> list[str]:
        answer = await client.get(POSTS, params={"q": q})
        assert answer.status_code == 200, answer.text
        return [post["id"] for post in answer.json()["items"]]

    assert await found("engines") == [title["id"], body["id"]]
    assert await found('"weave algebraic"') == [body["id"]]
    assert await found("engine -mill") == [body["id"]]
    for hostile in ("%", "_", "\\", "'", "'; drop table posts;--", "a:*", "!&|()<->", "é" * 200):
        await found(hostile)
    assert await found("%") == []


async def test_a_search_is_paged_by_rank_without_loss(
    client: httpx.AsyncClient, make_user: Any, make_post: Any
) -> None:
    ada = await make_user()
    for n in range(9):
        await make_post(ada, f"Engine {n}", "engine " * (n % 3))
    url, seen = f"{POSTS}?q=engine&limit=2", []
    whole = (await client.get(f"{POSTS}?q=engine&limit=100")).json()["items"]
    while url:
        answer = await client.get(url)
        seen += answer.json()["items"]
        url = answer.links.get("next", {}).get("url", "")

    assert seen == whole
    assert len(seen) == 9


async def test_a_page_of_posts_with_authors_is_one_statement(
    client: httpx.AsyncClient, make_user: Any, make_post: Any, statements: Any
) -> None:
    for n in range(3):
        await make_post(await make_user(f"user{n}@example.com"))
    await client.get(POSTS)

    with statements(1):
        answer = await client.get(POSTS)

    assert len({post["author"]["id"] for post in answer.json()["items"]}) == 3


async def test_a_batch_is_created_as_a_whole(client: httpx.AsyncClient, make_user: Any) -> None:
    ada = await make_user()
    items = [
        {"title": f"Post {n}", "content": "😀" * 2000, "author_id": ada["id"]} for n in range(500)
    ]

    answer = await client.post("/api/v1/posts:batch", json={"items": items})

    assert answer.status_code == 201, answer.text
    assert [post["title"] for post in answer.json()["items"]] == [i["title"] for i in items]
    audit = await client.get("/api/v1/audit?entity=posts&limit=100")
    assert len(audit.json()["items"]) == 100


async def test_a_batch_with_mistakes_creates_nothing_and_lists_them(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    ada = await make_user()
    good = {"title": "x", "content": "y", "author_id": ada["id"]}
    unknown = good | {"author_id": str(uuid4())}

    invalid = await client.post(
        "/api/v1/posts:batch", json={"items": [good, good | {"title": ""}, {}]}
    )
    missing = await client.post("/api/v1/posts:batch", json={"items": [good, unknown, unknown]})

    assert [error["pointer"] for error in invalid.json()["errors"]] == [
        "/body/items/1/title",
        "/body/items/2/title",
        "/body/items/2/content",
        "/body/items/2/author_id",
    ]
    assert [error["pointer"] for error in missing.json()["errors"]] == [
        "/body/items/1/author_id",
        "/body/items/2/author_id",
    ]
    assert (invalid.status_code, missing.status_code) == (422, 422)
    assert (await client.get(POSTS)).json()["items"] == []


@pytest.mark.parametrize("count", [0, 501])
async def test_a_batch_has_1_to_500_posts(
    client: httpx.AsyncClient, make_user: Any, count: int
) -> None:
    item = {"title": "x", "content": "y", "author_id": (await make_user())["id"]}

    answer = await client.post("/api/v1/posts:batch", json={"items": [item] * count})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/body/items"
