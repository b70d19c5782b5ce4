"""Fifty clients with one Idempotency-Key, against two server processes with one database."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from kingpost.testing.databases import execute
from kingpost.testing.process import ServerProcess

RACERS = 50


@pytest.fixture
def servers(
    server: ServerProcess, start_server: Callable[..., ServerProcess]
) -> list[ServerProcess]:
    return [server, start_server(beside=server)]


async def insist(client: httpx.AsyncClient, server: ServerProcess) -> httpx.Response:
    headers = {**server.headers, "Idempotency-Key": '"race"'}
    url = f"{server.url}/api/v1/users"
    for _ in range(30):
        answer = await client.post(url, json={"email": "race@example.com"}, headers=headers)
        if answer.status_code not in {409, 503}:
            return answer
        assert "/idempotency-in-flight" in answer.text or answer.status_code == 503, answer.text
        await asyncio.sleep(int(answer.headers["Retry-After"]))
    raise AssertionError(answer.text)


async def test_fifty_racers_on_two_processes_make_one_row(servers: list[ServerProcess]) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        racers = [insist(client, servers[number % 2]) for number in range(RACERS)]
        answers = await asyncio.gather(*racers)

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len({answer.headers["location"] for answer in answers}) == 1
    fresh = [answer for answer in answers if "Idempotency-Replayed" not in answer.headers]
    assert len(fresh) == 1
    url = servers[0].database_url
    user = answers[0].json()["id"]
    rows = execute(url, "SELECT count(*) FROM users WHERE email = 'race@example.com'")
    audit = execute(url, f"SELECT count(*) FROM audit WHERE entity_id = '{user}'")  # noqa: S608 - it is a UUID of our own
    assert (rows[0][0], audit[0][0]) == (1, 1)
