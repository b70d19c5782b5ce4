"""Rate limits and failed authentications, as a client meets them."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from tests.kingpost.support import until

from app.api.deps import user_service
from kingpost.database import UnitOfWork
from kingpost.security import new_key
from kingpost.testing.databases import execute
from kingpost.testing.lifespan import running
from kingpost.testing.process import ServerProcess
from kingpost.testing.service import http_client, make_key, settings_for

POLICY = '"default";q=6;w=3600'
# RFC 9651: a list of one string with two integers as its parameters
LEFT = re.compile(r'"default";r=(0|[1-9]\d*);t=(0|[1-9]\d*)')
# A limit that the database does not hold in time is not held, however busy the machine is.
PATIENT = {
    "APP_REQUEST_TIMEOUT": 120,
    "APP_STATEMENT_TIMEOUT": 90,
    "APP_LOCK_TIMEOUT": 80,
    "APP_ACQUIRE_TIMEOUT": 60,
}
MISSING = "0199f3f0-7b1c-7000-8000-000000000000"

Limited = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def limited(
    project: Any, service_environ: Mapping[str, str], database_url: str
) -> AsyncIterator[Limited]:
    """Starts the service in this process: `limited(APP_RATE_LIMIT=5)`, with a client of it."""
    async with AsyncExitStack() as stack:

        async def start(**environ: object) -> httpx.AsyncClient:
            given = {name: str(value) for name, value in {**PATIENT, **environ}.items()}
            settings = settings_for(project, {**service_environ, **given}, database_url)
            return await stack.enter_async_context(client_of(project.create_app(settings)))

        yield start


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with running(app), http_client(app, await make_key(app)) as client:
        client.app = app  # type: ignore[attr-defined] # for tests that look behind it
        yield client


def another(client: httpx.AsyncClient, key: str | None, address: str = "127.0.0.1") -> Any:
    """A client of the same service with another key, from another address."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = httpx.ASGITransport(client.app, client=(address, 1))  # type: ignore[attr-defined] # see above
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)


def left(answer: httpx.Response) -> tuple[int, int]:
    """What the answer says is left, and for how many seconds."""
    found = LEFT.fullmatch(answer.headers["RateLimit"])
    assert found, answer.headers
    return int(found[1]), int(found[2])


async def test_every_answer_says_what_is_left(limited: Limited) -> None:
    client = await limited(APP_RATE_LIMIT=6, APP_RATE_WINDOW=3600)
    answers = [
        await client.get("/api/v1/users"),
        await client.get(f"/api/v1/users/{MISSING}"),
        await client.get("/api/v1/users?no=1"),
        await client.post("/api/v1/users", content=b"{"),
        await client.head("/api/v1/posts"),
        await client.post("/api/v1/users", json={"email": "ada@example.com"}),
    ]

    assert [answer.status_code for answer in answers] == [200, 404, 422, 415, 200, 201]
    assert [answer.headers["RateLimit-Policy"] for answer in answers] == [POLICY] * 6
    assert [left(answer)[0] for answer in answers] == [5, 4, 3, 2, 1, 0]
    assert all(3000 < left(answer)[1] <= 3600 for answer in answers)


async def test_above_the_limit_nothing_of_the_request_is_looked_at(
    limited: Limited, statements: Any
) -> None:
    client = await limited(APP_RATE_LIMIT=1, APP_RATE_WINDOW=3600)
    await client.get("/api/v1/users")

    with statements(0):
        answer = await client.post("/api/v1/users?no=1", content=b"{")

    assert answer.status_code == 429
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert left(answer) == (0, int(answer.headers["Retry-After"]))
    assert answer.headers.get_list("RateLimit-Policy") == ['"default";q=1;w=3600']
    document = answer.json()
    assert document["type"] == "/problems/quota-exceeded"
    assert document["violated-policies"] == ["default"]
    assert document["request_id"] == answer.headers["X-Request-Id"]


async def test_routes_that_fastapi_serves_are_limited_too(limited: Limited) -> None:
    client = await limited(APP_RATE_LIMIT=1)
    app: Any = client.app  # type: ignore[attr-defined] # see client_of

    async def replaced() -> Any:
        work: UnitOfWork = app.state.kingpost.database.unit_of_work()
        return await user_service(work)

    app.dependency_overrides[user_service] = replaced  # overrules the plan

    assert left(await client.get("/api/v1/users"))[0] == 0
    assert (await client.get("/api/v1/users")).status_code == 429


async def test_each_key_has_its_own_limit(limited: Limited) -> None:
    client = await limited(APP_RATE_LIMIT=2)
    made = (await client.post("/api/v1/keys", json={"name": "b", "scopes": ["users:read"]})).json()
    await client.get("/api/v1/users")
    assert (await client.get("/api/v1/users")).status_code == 429

    async with another(client, made["key"]) as other:
        forbidden = await other.get("/api/v1/posts")
        allowed = await other.get("/api/v1/users")

    assert (forbidden.status_code, "RateLimit" in forbidden.headers) == (403, False)
    assert (allowed.status_code, left(allowed)[0]) == (200, 1)


async def test_a_successor_of_a_key_goes_on_in_its_window(limited: Limited) -> None:
    client = await limited(APP_RATE_LIMIT=5)
    made = (await client.post("/api/v1/keys", json={"name": "b", "scopes": ["users:read"]})).json()
    async with another(client, made["key"]) as old:
        assert left(await old.get("/api/v1/users"))[0] == 4
    made = (await client.post(f"/api/v1/keys/{made['id']}/rotation", json={})).json()
    async with another(client, made["key"]) as new:
        assert left(await new.get("/api/v1/users"))[0] == 3


async def test_who_is_not_recognised_learns_nothing_of_limits(limited: Limited) -> None:
    client = await limited(APP_RATE_LIMIT=2)

    async with another(client, None) as nobody:
        answers = [await nobody.get(p) for p in ("/api/v1/users", "/nowhere", "/livez")]

    assert [answer.status_code for answer in answers] == [401, 404, 200]
    assert not any("RateLimit" in a.headers or "RateLimit-Policy" in a.headers for a in answers)


async def test_without_a_limit_there_are_no_headers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/users")

    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("ratelimit")]


async def test_a_remembered_answer_has_the_limit_of_now(limited: Limited) -> None:
    client = await limited(APP_RATE_LIMIT=6)
    headers = {"Idempotency-Key": "k-1"}
    answers = [
        await client.post("/api/v1/users", json={"email": "ada@example.com"}, headers=headers)
        for _ in range(2)
    ]

    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert [left(answer)[0] for answer in answers] == [5, 4]
    assert len(answers[1].headers.get_list("RateLimit")) == 1


async def test_who_comes_back_as_told_is_served(limited: Limited) -> None:
    client = await limited(APP_RATE_LIMIT=1, APP_RATE_WINDOW=1)
    for _ in range(2):
        told = await client.get("/api/v1/users")
        while told.status_code != 429:
            told = await client.get("/api/v1/users")
        due = monotonic() + int(told.headers["Retry-After"])
        await until(lambda due=due: monotonic() >= due)

        assert (await client.get("/api/v1/users")).status_code == 200


async def test_what_limits_do_is_counted(limited: Limited) -> None:
    client = await limited(APP_RATE_LIMIT=1, APP_AUTH_FAILURES=1)
    for _ in range(3):
        await client.get("/api/v1/users")
    async with another(client, "wrong") as guesser:
        statuses = [(await guesser.get("/api/v1/users")).status_code for _ in range(3)]

    metrics = (await client.get("/metrics")).text
    assert statuses == [401, 429, 429]
    assert 'http_server_rate_limit_events_total{event="lease"} 1.0' in metrics
    assert 'http_server_rate_limit_events_total{event="refused"} 2.0' in metrics
    assert 'http_server_rate_limit_events_total{event="address_refused"} 2.0' in metrics
    assert 'status="429"' in metrics


def test_the_table_outlives_no_crash_and_costs_no_wal(database_url: str) -> None:
    kind = "SELECT relpersistence FROM pg_class WHERE relname = 'rate_limits'"

    assert execute(database_url, kind)[0][0] in ("u", b"u")


async def test_two_servers_grant_what_the_limit_allows_and_no_more(
    start_server: Callable[..., ServerProcess],
) -> None:
    one = start_server(APP_RATE_LIMIT=200, APP_RATE_WINDOW=3600, **PATIENT)

    served = await race([one, start_server(beside=one)], clients=50, requests=6)

    assert 180 <= sum(served.values()) <= 200
    assert min(served.values()) > 0, served


async def race(servers: list[ServerProcess], *, clients: int, requests: int) -> dict[str, int]:
    """How many requests of all clients each server has served; the others are a 429."""
    served = dict.fromkeys((server.url for server in servers), 0)

    async def send(client: httpx.AsyncClient, number: int) -> None:
        for round_ in range(requests):
            url = servers[(number + round_) % len(servers)].url
            answer = await client.get(f"{url}/api/v1/users")
            assert answer.status_code in (200, 429), answer.text
            served[url] += answer.status_code == 200

    limits = httpx.Limits(max_connections=2 * clients)
    async with httpx.AsyncClient(
        headers=servers[0].headers, timeout=120, trust_env=False, limits=limits
    ) as client:
        await asyncio.gather(*(send(client, number) for number in range(clients)))
    return served


async def test_an_address_with_many_wrong_keys_has_no_more_of_them_checked(
    limited: Limited, statements: Any
) -> None:
    client = await limited(APP_AUTH_FAILURES=5)
    await client.get("/api/v1/users")
    new = (await client.post("/api/v1/keys", json={"name": "n", "scopes": ["users:read"]})).json()
    async with another(client, None) as guesser:
        guesses = [{"Authorization": f"Bearer {new_key(uuid4(), 'test')}"} for _ in range(8)]
        answers = [await guesser.get("/api/v1/users", headers=h) for h in guesses[:5]]
        with statements(0):
            answers += [await guesser.get("/api/v1/users", headers=h) for h in guesses[5:]]

    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 3
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[-1].json()["type"] == "/problems/abnormal-usage-detected"
    assert (await client.get("/api/v1/users")).status_code == 200, "it was accepted before"
    async with another(client, new["key"]) as newcomer:
        assert (await newcomer.get("/api/v1/users")).status_code == 429
    async with another(client, new["key"], "192.0.2.7") as elsewhere:
        assert (await elsewhere.get("/api/v1/users")).status_code == 200


async def test_by_default_thirty_wrong_keys_a_minute_are_checked(
    limited: Limited, service_environ: Mapping[str, str]
) -> None:
    assert service_environ["APP_AUTH_FAILURES"] == "0"
    client = await limited(APP_AUTH_FAILURES="")
    async with another(client, "wrong") as guesser:
        statuses = [(await guesser.get("/api/v1/users")).status_code for _ in range(32)]

    assert statuses == [401] * 30 + [429] * 2
