"""POST with an Idempotency-Key: one change, and the same bytes for every retry."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import httpx
import pytest
from tests.kingpost.proxy import proxied
from tests.kingpost.support import holding, until

from kingpost.testing.databases import execute
from kingpost.testing.lifespan import running
from kingpost.testing.service import http_client, make_key, settings_for

KEYS = "/api/v1/keys"
ADA = {"email": "ada@example.com"}
Post = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def post(client: httpx.AsyncClient) -> Post:
    async def send(path: str, key: str, document: Any = None) -> httpx.Response:
        headers = {"Idempotency-Key": key}
        return await client.post(f"/api/v1{path}", json=document, headers=headers)

    return send


def count(url: str, table: str) -> int:
    query = f"SELECT count(*) FROM {table}"  # noqa: S608 - the names are of this file
    return int(execute(url, query)[0][0])


def audit_rows(url: str, entity: str) -> int:
    return count(url, f"audit WHERE entity = '{entity}'")


def assert_is_replay(first: httpx.Response, again: httpx.Response) -> None:
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert (again.status_code, again.content) == (first.status_code, first.content)
    kept = ("location", "content-type", "etag")
    assert [again.headers.get(n) for n in kept] == [first.headers.get(n) for n in kept]


async def test_a_retry_gets_the_first_answer_and_changes_nothing(post, database_url):
    first = await post("/users", '"k-1"', ADA)
    again = await post("/users", "k-1", ADA)

    assert first.status_code == 201, first.text
    assert_is_replay(first, again)
    assert count(database_url, "users") == audit_rows(database_url, "users") == 1


async def test_every_post_is_replayed(post, database_url):
    user = (await post("/users", "u", ADA)).json()
    new = {"title": "On engines", "content": "They weave.", "author_id": user["id"]}
    key = (await post("/keys", "k", {"name": "billing", "scopes": ["posts:read"]})).json()
    asked = {
        "/posts": new,
        "/posts:batch": {"items": [new, new]},
        f"/keys/{key['id']}/rotation": {},
        f"/keys/{key['id']}/revocation": None,
    }

    for path, document in asked.items():
        first, again = [await post(path, path.replace("/", "."), document) for _ in "12"]
        assert first.status_code < 300, first.text
        assert_is_replay(first, again)
    assert count(database_url, "posts") == 3


async def test_the_largest_batch_is_replayed_whole(post, database_url):
    user = (await post("/users", "u", ADA)).json()
    new = {"title": "On engines", "content": "é" * 2000, "author_id": user["id"]}

    first, again = [await post("/posts:batch", "b", {"items": [new] * 500}) for _ in "12"]

    assert len(first.json()["items"]) == 500
    assert_is_replay(first, again)
    assert count(database_url, "posts") == audit_rows(database_url, "posts") == 500


async def test_a_key_that_was_used_for_something_else_is_refused(post, database_url):
    await post("/users", "k", ADA)

    other = await post("/users", "k", {"email": "grace@example.com"})

    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    assert count(database_url, "users") == 1


@pytest.mark.parametrize(
    "key", ["", '""', "a b", '"a', '"a\\x"', "k" * 256, "\tk\x7f", '"k";p=1', '"é"']
)
async def test_a_malformed_key_is_refused(client, key, database_url):
    headers = [(b"Idempotency-Key", key.encode())]
    answer = await client.post("/api/v1/users", json=ADA, headers=headers)

    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/idempotency-key-invalid"
    assert count(database_url, "users") == 0


async def test_two_keys_are_refused(client):
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    answer = await client.post("/api/v1/users", json=ADA, headers=headers)

    assert answer.json()["type"] == "/problems/idempotency-key-invalid"


async def test_the_key_is_checked_after_the_media_type_and_before_the_json(client):
    bad_key = {"Idempotency-Key": "a b"}
    path = "/api/v1/users"
    json = {"Content-Type": "application/json"}

    assert (await client.post(path, content="{", headers=bad_key)).status_code == 415
    answer = await client.post(path, content="{", headers=bad_key | json)
    assert answer.json()["type"] == "/problems/idempotency-key-invalid"


async def test_what_failed_is_not_remembered(post, database_url):
    assert (await post("/users", "first", ADA)).status_code == 201
    conflict = await post("/users", "k", {"email": "ADA@example.com"})
    execute(database_url, "DELETE FROM users")

    again = await post("/users", "k", {"email": "ADA@example.com"})

    assert (conflict.status_code, again.status_code) == (409, 201)
    assert conflict.json()["type"] == "/problems/conflict"


async def test_an_answer_that_is_too_large_to_remember_is_500(post, database_url, monkeypatch):
    first = await post("/users", "small", {"email": "a@example.com"})
    module = import_module("kingpost.http.idempotent")
    monkeypatch.setattr(module, "MAX_ANSWER_BYTES", len(first.content))
    fits = await post("/users", "fits", {"email": "b@example.com"})
    refused = await post("/users", "large", {"email": "cc@example.com"})

    assert (fits.status_code, len(fits.content)) == (201, len(first.content))
    assert (refused.status_code, count(database_url, "users")) == (500, 2)


async def test_another_key_holder_does_not_get_the_answer(post, app, database_url):
    await post("/users", "k", ADA)
    async with http_client(app, await make_key(app)) as other:
        answer = await other.post(
            "/api/v1/users", json={"email": "grace@example.com"}, headers={"Idempotency-Key": "k"}
        )

    assert answer.status_code == 201
    assert "Idempotency-Replayed" not in answer.headers
    assert count(database_url, "users") == 2


async def test_a_successor_of_a_key_gets_the_answer(client, anonymous, database_url):
    key = (await client.post(KEYS, json={"name": "x", "scopes": ["users:write"]})).json()
    answers = []
    for _ in range(3):
        headers = {"Authorization": f"Bearer {key['key']}", "Idempotency-Key": "k"}
        answers.append(await anonymous.post("/api/v1/users", json=ADA, headers=headers))
        key = (await client.post(f"{KEYS}/{key['id']}/rotation", json={})).json()

    for again in answers[1:]:
        assert_is_replay(answers[0], again)
    assert count(database_url, "users") == 1


async def test_an_expired_answer_is_forgotten_and_overwritten(post, database_url):
    await post("/users", "k", ADA)
    execute(database_url, "UPDATE idempotency_keys SET expires_at = now()")

    other = await post("/users", "k", {"email": "grace@example.com"})

    assert other.status_code == 201
    assert count(database_url, "idempotency_keys") == 1


async def test_a_request_beside_the_first_is_told_to_wait(post, database_url):
    held = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND database IN "
    held += "(SELECT oid FROM pg_database WHERE datname = current_database())"
    async with holding(database_url, "LOCK TABLE users IN ACCESS EXCLUSIVE MODE"):
        first = asyncio.create_task(post("/users", "k", ADA))
        await until(lambda: execute(database_url, held))
        beside = await post("/users", "k", ADA)

    assert beside.status_code == 409
    assert beside.json()["type"] == "/problems/idempotency-in-flight"
    assert beside.headers["Retry-After"] == "1"
    assert (await first).status_code == 201
    assert count(database_url, "users") == 1


async def test_a_key_costs_four_round_trips_more_and_a_replay_three(
    project, service_environ, database_url
):
    async with proxied(database_url) as proxy:
        app = project.create_app(settings_for(project, service_environ, proxy.url))
        async with running(app), http_client(app, await make_key(app)) as client:
            trips = []
            for n in (0, 1, 2, 2):
                proxy.round_trips.clear()
                document = {"email": f"ada{n}@example.com"}
                headers = {"Idempotency-Key": f"k-{n}"}
                answer = await client.post("/api/v1/users", json=document, headers=headers)
                assert answer.status_code == 201, answer.text
                trips.append(len(proxy.round_trips))

    assert trips[2:] == [5, 3], trips


async def test_fifty_racers_make_one_row_and_get_the_same_bytes(post, database_url):
    async def insist() -> httpx.Response:
        while True:
            answer = await post("/users", "k", ADA)
            if answer.status_code != 409:
                return answer
            assert answer.json()["type"] == "/problems/idempotency-in-flight", answer.text
            assert answer.headers["Retry-After"] == "1"
            await asyncio.sleep(0.05)

    answers = await asyncio.gather(*(insist() for _ in range(50)))

    assert {answer.status_code for answer in answers} <= {201, 503}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert count(database_url, "users") == audit_rows(database_url, "users") == 1


async def test_the_answer_with_a_new_key_is_sealed(post, database_url):
    made = await post("/keys", "k", {"name": "billing", "scopes": ["posts:read"]})
    secret = made.json()["key"]
    row = execute(database_url, "SELECT body, headers, is_sealed FROM idempotency_keys")[0]

    assert row.is_sealed
    assert secret.encode() not in bytes(row.body)
    assert b"billing" not in bytes(row.body)
    assert row.headers == []


async def test_a_sealed_answer_cannot_be_read_with_another_secret(post, app):
    document = {"name": "billing", "scopes": ["posts:read"]}
    await post("/keys", "k", document)
    app.state.kingpost.idempotency.secret = b"x" * 32

    answer = await post("/keys", "k", document)

    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/idempotency-answer-unreadable"


async def test_expired_answers_are_deleted_and_others_stay(post, app, database_url):
    for number in range(3):
        await post("/users", f"k-{number}", {"email": f"ada{number}@example.com"})
    execute(
        database_url, "UPDATE idempotency_keys SET expires_at = now() WHERE body::text LIKE '%'"
    )
    await post("/users", "young", {"email": "grace@example.com"})
    idempotency = app.state.kingpost.idempotency

    assert await idempotency.count_expired() == 3
    assert [await idempotency.purge(2) for _ in "123"] == [2, 1, 0]
    assert count(database_url, "idempotency_keys") == 1


@pytest.mark.parametrize("lost", ["lose request", "lose reply"])
async def test_a_retry_after_a_lost_commit_finds_or_makes_the_one_change(
    project, service_environ, database_url, lost
):
    async with proxied(database_url) as proxy:
        app = project.create_app(settings_for(project, service_environ, proxy.url))
        async with running(app), http_client(app, await make_key(app)) as client:
            headers = {"Idempotency-Key": "k"}
            proxy.at_commit = lost
            unknown = await client.post("/api/v1/users", json=ADA, headers=headers)
            proxy.at_commit = "forward"
            again = await client.post("/api/v1/users", json=ADA, headers=headers)
            while again.status_code == 409:
                await asyncio.sleep(0.01)
                again = await client.post("/api/v1/users", json=ADA, headers=headers)

    assert unknown.json()["type"] == "/problems/outcome-unknown"
    assert again.status_code == 201, again.text
    assert ("Idempotency-Replayed" in again.headers) == (lost == "lose reply")
    assert count(database_url, "users") == audit_rows(database_url, "users") == 1


async def test_a_service_may_require_a_key(project, service_environ, database_url):
    environ = {**service_environ, "APP_IDEMPOTENCY_REQUIRED": "true"}
    app = project.create_app(settings_for(project, environ, database_url))
    async with running(app), http_client(app, await make_key(app)) as client:
        without = await client.post("/api/v1/users", json=ADA)
        given = await client.post("/api/v1/users", json=ADA, headers={"Idempotency-Key": "k"})

    assert without.json()["type"] == "/problems/idempotency-key-required"
    assert given.status_code == 201
