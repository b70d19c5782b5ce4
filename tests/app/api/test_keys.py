from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from kingpost.database import Database

KEYS = "/api/v1/keys"


async def make_key(client: httpx.AsyncClient, *scopes: str, **fields: Any) -> dict[str, Any]:
    answer = await client.post(KEYS, json={"name": "ci", "scopes": list(scopes)} | fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def bearer(key: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {key['key']}"}


async def test_the_secret_is_shown_once_and_stored_nowhere(
    client: httpx.AsyncClient, database: Database
) -> None:
    key = await make_key(client, "posts:read", "posts:read")

    again = await client.get(f"{KEYS}/{key['id']}")
    listed = await client.get(KEYS)
    audit = await client.get("/api/v1/audit?entity=keys")
    async with database.engine.connect() as connection:
        dump = str((await connection.execute(text("SELECT keys::text FROM keys"))).all())

    assert again.json() == {name: value for name, value in key.items() if name != "key"}
    assert key["scopes"] == ["posts:read"]
    secret = key["key"][-38:]
    for text_ in (again.text, listed.text, audit.text, dump):
        assert secret not in text_
    assert "key_hash" not in audit.text


async def test_a_key_may_do_what_its_scopes_say_and_no_more(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    reader = bearer(await make_key(client, "posts:read"))
    writer = bearer(await make_key(client, "users:*"))

    async def status(method: str, path: str, headers: dict[str, str]) -> int:
        answer = await anonymous.request(method, f"/api/v1{path}", headers=headers, content=b"{")
        return answer.status_code

    assert await status("GET", "/posts", reader) == 200
    assert await status("HEAD", "/posts", reader) == 200
    assert await status("GET", "/users", reader) == 403
    assert await status("POST", "/posts", reader) == 403
    assert await status("GET", "/users", writer) == 200
    assert await status("POST", "/users", writer) == 415
    assert await status("GET", "/audit", writer) == 403
    assert await status("GET", "/keys", writer) == 403


async def test_keys_are_checked_before_anything_of_the_request_is_looked_at(
    anonymous: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    reader = bearer(await make_key(client, "posts:read"))

    for method, path in [("POST", "/users"), ("PATCH", "/users/no-id"), ("GET", "/users?x=%ff")]:
        nobody = await anonymous.request(method, f"/api/v1{path}", content=b"\xff")
        wrong = await anonymous.request(method, f"/api/v1{path}", content=b"\xff", headers=reader)

        assert nobody.status_code == 401
        assert nobody.headers["www-authenticate"] == "Bearer"
        assert nobody.json()["type"] == "/problems/unauthenticated"
        assert wrong.status_code == 403
        assert 'error="insufficient_scope"' in wrong.headers["www-authenticate"]


@pytest.mark.parametrize("query", ["?api_key=", "?access_token="])
async def test_a_key_in_the_address_is_no_key(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, query: str
) -> None:
    key = await make_key(client, "posts:read")

    answer = await anonymous.get(f"/api/v1/posts{query}{key['key']}")

    assert answer.status_code == 401


async def test_a_revoked_key_ends_at_once(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    key = await make_key(client, "posts:read")
    before = await anonymous.get("/api/v1/posts", headers=bearer(key))

    revoked = await client.post(f"{KEYS}/{key['id']}/revocation")
    again = await client.post(f"{KEYS}/{key['id']}/revocation")
    after = await anonymous.get("/api/v1/posts", headers=bearer(key))

    assert (before.status_code, revoked.status_code, again.status_code) == (200, 200, 200)
    assert revoked.json() == again.json()
    assert after.status_code == 401
    assert (await client.get(f"{KEYS}/{key['id']}")).json()["revoked_at"] is not None


async def test_a_key_that_has_ended_has_no_successor(client: httpx.AsyncClient) -> None:
    revoked, expired = await make_key(client, "posts:read"), await make_key(client, "posts:read")
    await client.post(f"{KEYS}/{revoked['id']}/revocation")
    await client.post(f"{KEYS}/{expired['id']}/rotation", json={"overlap_seconds": 0})

    for key in (revoked, expired):
        answer = await client.post(f"{KEYS}/{key['id']}/rotation", json={})

        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")


async def test_a_key_cannot_revoke_itself(client: httpx.AsyncClient) -> None:
    own = (await client.get(KEYS)).json()["items"][0]

    answer = await client.post(f"{KEYS}/{own['id']}/revocation")

    assert answer.status_code == 409
    assert (await client.get(KEYS)).status_code == 200


async def test_an_expired_key_is_refused(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, database: Database
) -> None:
    key = await make_key(client, "posts:read", expires_in_days=30)
    lifetime = datetime.fromisoformat(key["expires_at"]) - datetime.fromisoformat(key["created_at"])
    async with database.engine.begin() as connection:
        await connection.execute(
            text("UPDATE keys SET expires_at = now() WHERE id = :id"), {"id": key["id"]}
        )

    assert lifetime == timedelta(days=30)
    assert (await anonymous.get("/api/v1/posts", headers=bearer(key))).status_code == 401


async def test_after_a_rotation_both_keys_work_until_the_overlap_ends(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    old = await make_key(client, "posts:read")

    soft = await client.post(f"{KEYS}/{old['id']}/rotation", json={})
    new = soft.json()
    both = [await anonymous.get("/api/v1/posts", headers=bearer(key)) for key in (old, new)]
    hard = await client.post(f"{KEYS}/{new['id']}/rotation", json={"overlap_seconds": 0})
    ended = await anonymous.get("/api/v1/posts", headers=bearer(new))

    assert (soft.status_code, hard.status_code) == (201, 201)
    assert (new["name"], new["scopes"]) == (old["name"], old["scopes"])
    assert [answer.status_code for answer in both] == [200, 200]
    assert ended.status_code == 401
    assert (await client.post(f"{KEYS}/{uuid4()}/rotation", json={})).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "scopes": ["posts:read"], "expires_in_days": 0},
        {"name": "x", "scopes": ["posts:read"], "key": "kp_mine"},
        {"name": "", "scopes": ["posts:read"]},
    ],
)
async def test_an_invalid_key_is_refused(client: httpx.AsyncClient, body: object) -> None:
    answer = await client.post(KEYS, json=body)

    assert answer.status_code == 422


async def test_last_use_is_written_off_the_path_of_the_request(
    client: httpx.AsyncClient, app: FastAPI, statements: Any
) -> None:
    await client.get("/api/v1/posts")
    with statements(1):
        await client.get("/api/v1/posts")
    assert (await client.get(KEYS)).json()["items"][0]["last_used_at"] is None

    await app.state.last_used.flush()

    assert (await client.get(KEYS)).json()["items"][0]["last_used_at"] is not None
    audit = await client.get("/api/v1/audit?entity=keys")
    assert [entry["action"] for entry in audit.json()["items"]] == ["create"]
