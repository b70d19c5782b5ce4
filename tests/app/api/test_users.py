from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

USERS = "/api/v1/users"
NOBODY = "0199f3f0-7b1c-7000-8000-000000000000"


async def test_a_created_user_is_found_where_location_says(client: httpx.AsyncClient) -> None:
    created = await client.post(USERS, json={"email": "Ada@Example.com", "name": "Ada Lovelace"})

    assert created.status_code == 201
    body = created.json()
    assert body.keys() == {"id", "email", "name", "is_active", "created_at", "updated_at"}
    assert (body["email"], body["name"], body["is_active"]) == (
        "Ada@Example.com",
        "Ada Lovelace",
        True,
    )
    assert UUID(body["id"]).version == 7
    assert body["created_at"].endswith("Z")
    found = await client.get(created.headers["location"])
    assert found.status_code == 200
    assert found.json() == body


async def test_a_user_is_found_by_email_without_regard_to_case(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    user = await make_user("a/b+c%41?@example.com")

    answer = await client.get(f"{USERS}/by-email/A%2FB+C%2541%3F@EXAMPLE.COM")

    assert answer.status_code == 200, answer.text
    assert answer.json() == user


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/body/email"),
        ({"email": None}, "/body/email"),
        ({"email": "no address"}, "/body/email"),
        ({"email": "a@b.co", "name": " "}, "/body/name"),
        ({"email": "a@b.co", "name": "x" * 201}, "/body/name"),
        ({"email": "a@b.co", "is_active": "true"}, "/body/is_active"),
        ({"email": "a@b.co", "is_admin": True}, "/body/is_admin"),
        ({"email": "a@b.co", "id": NOBODY}, "/body/id"),
        ({"email": "a@b.co", "created_at": "2026-01-01T00:00:00Z"}, "/body/created_at"),
        ([], "/body"),
    ],
)
async def test_an_invalid_user_is_refused_with_a_pointer(
    client: httpx.AsyncClient, body: object, pointer: str
) -> None:
    answer = await client.post(USERS, json=body)

    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await client.get(USERS)).json()["items"] == []


async def test_patch_changes_what_was_sent_and_nothing_else(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    user = await make_user(name="Ada")

    deactivated = await client.patch(
        f"{USERS}/{user['id']}", json={"is_active": False}, headers={"If-Match": "*"}
    )
    unnamed = await client.patch(
        f"{USERS}/{user['id']}", json={"name": None}, headers={"If-Match": "*"}
    )
    untouched = await client.patch(f"{USERS}/{user['id']}", json={}, headers={"If-Match": "*"})

    assert deactivated.json() == user | {
        "is_active": False,
        "updated_at": deactivated.json()["updated_at"],
    }
    assert deactivated.json()["updated_at"] > user["updated_at"]
    assert unnamed.json()["name"] is None
    assert untouched.json() == unnamed.json()


@pytest.mark.parametrize("body", [{"email": None}, {"is_active": None}, {"posts": []}])
async def test_patch_refuses_null_where_there_must_be_a_value(
    client: httpx.AsyncClient, make_user: Any, body: object
) -> None:
    user = await make_user()

    answer = await client.patch(f"{USERS}/{user['id']}", json=body, headers={"If-Match": "*"})

    assert answer.status_code == 422
    assert (await client.get(f"{USERS}/{user['id']}")).json() == user


async def test_an_email_that_is_taken_is_a_conflict_for_patch_too(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    await make_user("ada@example.com")
    grace = await make_user("grace@example.com")

    answer = await client.patch(
        f"{USERS}/{grace['id']}", json={"email": "ADA@example.com"}, headers={"If-Match": "*"}
    )

    assert answer.status_code == 409
    assert answer.json()["errors"][0]["pointer"] == "/body/email"


async def test_delete_takes_the_posts_along(
    client: httpx.AsyncClient, make_user: Any, make_post: Any
) -> None:
    ada, grace = await make_user("ada@example.com"), await make_user("grace@example.com")
    gone, kept = await make_post(ada), await make_post(grace)

    answer = await client.delete(f"{USERS}/{ada['id']}", headers={"If-Match": "*"})

    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert (await client.get(f"{USERS}/{ada['id']}")).status_code == 404
    assert (await client.get(f"/api/v1/posts/{gone['id']}")).status_code == 404
    assert (await client.get(f"/api/v1/posts/{kept['id']}")).status_code == 200
    assert (
        await client.delete(f"{USERS}/{ada['id']}", headers={"If-Match": "*"})
    ).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("user_id", [NOBODY, "1", "%201", "９", "..%2f", "0" * 5000])
async def test_an_id_that_does_not_or_cannot_exist_is_not_found(
    client: httpx.AsyncClient, method: str, user_id: str
) -> None:
    answer = await client.request(
        method,
        f"{USERS}/{user_id}",
        json={} if method == "PATCH" else None,
        headers={"If-Match": "*"},
    )

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_lists_are_filtered_by_activity_email_and_time(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    ada = await make_user("ada@example.com")
    grace = await make_user("grace@example.com", is_active=False)
    created = datetime.fromisoformat(grace["created_at"])
    later = (created + timedelta(microseconds=1)).astimezone(UTC).isoformat()

    async def found(**query: str) -> list[str]:
        answer = await client.get(USERS, params=query)
        assert answer.status_code == 200, answer.text
        return [user["id"] for user in answer.json()["items"]]

    assert await found() == [grace["id"], ada["id"]]
    assert await found(is_active="true") == [ada["id"]]
    assert await found(is_active="false") == [grace["id"]]
    assert await found(email="GRACE@example.com") == [grace["id"]]
    assert await found(created_since=grace["created_at"]) == [grace["id"]]
    assert await found(created_until=grace["created_at"]) == [ada["id"]]
    assert await found(created_since=later) == []


async def test_a_walk_over_the_pages_sees_every_user_once(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    made = [(await make_user(f"user{n}@example.com"))["id"] for n in range(7)]
    seen: list[str] = []
    url: str | None = f"{USERS}?limit=3&is_active=true"
    while url:
        answer = await client.get(url)
        seen += [user["id"] for user in answer.json()["items"]]
        assert (answer.json()["next"] is None) == ("next" not in answer.links)
        url = answer.links.get("next", {}).get("url")

    assert seen == made[::-1]
    back = await client.get(answer.links["prev"]["url"])
    assert [user["id"] for user in back.json()["items"]] == seen[3:6]


async def test_a_cursor_works_for_its_own_query_only(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    for n in range(3):
        await make_user(f"user{n}@example.com")
    cursor = (await client.get(USERS, params={"limit": 1})).json()["next"]

    same = await client.get(USERS, params={"limit": 2, "cursor": cursor})
    other = await client.get(USERS, params={"cursor": cursor, "is_active": "true"})
    foreign = await client.get("/api/v1/posts", params={"cursor": cursor})
    tampered = cursor[:-1] + ("x" if cursor[-1] != "x" else "y")
    changed = await client.get(USERS, params={"cursor": tampered})

    assert same.status_code == 200
    assert [a.status_code for a in (other, foreign, changed)] == [400, 400, 400]
    assert other.json()["type"] == "/problems/invalid-cursor"


async def test_the_newest_posts_come_along_in_the_same_statement(
    client: httpx.AsyncClient, make_user: Any, make_post: Any, statements: Any
) -> None:
    ada = await make_user()
    posts = [await make_post(ada, f"Post {n}") for n in range(22)]
    url = f"{USERS}/{ada['id']}?include=posts"
    await client.get(url)

    with statements(1):
        answer = await client.get(url)

    shown = answer.json()["posts"]
    assert answer.json() == ada | {"posts": shown}
    assert [post["id"] for post in shown] == [post["id"] for post in posts[:1:-1]]
    assert shown[0].keys() == {"id", "title", "content", "created_at", "updated_at"}
    assert (await client.get(f"{USERS}/{ada['id']}?include=keys")).status_code == 422


async def test_the_posts_of_a_user_are_a_list_of_their_own(
    client: httpx.AsyncClient, make_user: Any, make_post: Any
) -> None:
    ada, grace = await make_user("ada@example.com"), await make_user("grace@example.com")
    post = await make_post(ada)

    of_ada = await client.get(f"{USERS}/{ada['id']}/posts")
    of_grace = await client.get(f"{USERS}/{grace['id']}/posts")
    of_nobody = await client.get(f"{USERS}/{NOBODY}/posts")

    assert of_ada.json() == {"items": [post], "next": None, "previous": None}
    assert of_grace.json()["items"] == []
    assert of_nobody.status_code == 404


async def test_reads_cost_one_statement_and_a_page_no_more(
    client: httpx.AsyncClient, make_user: Any, statements: Any
) -> None:
    users = [await make_user(f"user{n}@example.com") for n in range(5)]
    await client.get(USERS)

    with statements(1):
        await client.get(f"{USERS}/{users[0]['id']}")
    with statements(1):
        await client.get(USERS)
