from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kingpost.database import Database

AUDIT = "/api/v1/audit"


async def entries(client: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    answer = await client.get(AUDIT, params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_every_change_leaves_who_what_when_and_the_difference(
    client: httpx.AsyncClient, make_user: Any
) -> None:
    ada = await make_user(name="Ada")
    changed = await client.patch(
        f"/api/v1/users/{ada['id']}",
        json={"name": "Countess"},
        headers={"X-Request-Id": "req-1", "If-Match": "*"},
    )
    await client.delete(f"/api/v1/users/{ada['id']}", headers={"If-Match": "*"})

    deleted, updated, created = await entries(client, entity_id=ada["id"])

    assert [e["action"] for e in (created, updated, deleted)] == ["create", "update", "delete"]
    assert created["changes"]["email"] == ada["email"]
    assert updated["changes"]["name"] == ["Ada", "Countess"]
    assert "email" not in updated["changes"]
    assert updated["request_id"] == "req-1" == changed.headers["x-request-id"]
    assert created["actor"].startswith("key:")
    assert created["entity"] == "users"


async def test_a_failed_change_leaves_no_trace(client: httpx.AsyncClient, make_user: Any) -> None:
    await make_user()
    await client.post("/api/v1/users", json={"email": "ada@example.com"})

    assert len(await entries(client, entity="users")) == 1


async def test_the_posts_that_go_with_their_author_are_recorded_too(
    client: httpx.AsyncClient, make_user: Any, make_post: Any
) -> None:
    ada = await make_user()
    posts = {(await make_post(ada, f"Post {n}"))["id"] for n in range(3)}
    await client.delete(f"/api/v1/users/{ada['id']}", headers={"If-Match": "*"})

    deleted = [e for e in await entries(client, entity="posts") if e["action"] == "delete"]

    assert {e["entity_id"] for e in deleted} == posts
    assert deleted[0]["changes"]["content"] == "They weave."
    assert "search" not in deleted[0]["changes"]


async def test_audit_is_filtered_by_entity_actor_and_time(
    client: httpx.AsyncClient, make_user: Any, make_post: Any
) -> None:
    await make_post(await make_user())
    user_entry = (await entries(client, entity="users"))[0]

    assert {e["entity"] for e in await entries(client, entity="posts")} == {"posts"}
    assert await entries(client, actor="key:nobody") == []
    assert user_entry in await entries(client, actor=user_entry["actor"])
    assert user_entry not in await entries(client, until=user_entry["at"])
    assert user_entry in await entries(client, since=user_entry["at"])


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit"],
)
async def test_the_database_itself_refuses_to_change_the_audit(
    client: httpx.AsyncClient, make_user: Any, database: Database, statement: str
) -> None:
    await make_user()

    with pytest.raises(DBAPIError, match="append-only"):
        async with database.engine.begin() as connection:
            await connection.execute(text(statement))

    assert len(await entries(client, entity="users")) == 1
