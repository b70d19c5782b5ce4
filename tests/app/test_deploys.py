"""The service in two processes: one is killed, then the next version takes the port over."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tests.kingpost.support import until

from kingpost.testing.databases import execute
from kingpost.testing.process import ServerProcess

WORKERS = 2
USERS = "/api/v1/users"


@pytest.fixture
def server(start_server: Callable[..., ServerProcess]) -> Iterator[ServerProcess]:
    """Its socket's path has to be short."""
    with tempfile.TemporaryDirectory() as folder:
        yield start_server(
            APP_WORKERS=WORKERS, APP_HANDOVER=f"{folder}/h", APP_POOL_SIZE=2, APP_DIRECT_POOL_SIZE=2
        )


@dataclass
class Journal:
    """What clients were told: the ids of users, and the failures they tried again after."""

    made: list[str] = field(default_factory=list)
    failures: list[object] = field(default_factory=list)

    async def grow(self, count: int) -> None:
        wanted = len(self.made) + count
        await until(lambda: len(self.made) >= wanted)


async def create_users(server: ServerProcess, journal: Journal, done: asyncio.Event) -> None:
    """Each request is made again with its key until it is answered."""
    options: dict[str, Any] = {"headers": server.headers, "trust_env": False, "timeout": 60}
    async with httpx.AsyncClient(base_url=server.url, **options) as http:
        while not done.is_set():
            name = uuid4().hex
            new, key = {"email": f"{name}@example.org"}, {"Idempotency-Key": name}
            journal.made.append(await insist(http, journal, new, key))


async def insist(
    http: httpx.AsyncClient, journal: Journal, new: dict[str, str], key: dict[str, str]
) -> str:
    for _ in range(200):
        if (user := await attempt(http, journal, new, key)) is not None:
            return user
        await asyncio.sleep(0.05)
    raise AssertionError(f"not created in 200 attempts: {journal.failures}")


async def attempt(
    http: httpx.AsyncClient, journal: Journal, new: dict[str, str], key: dict[str, str]
) -> str | None:
    try:
        answer = await http.post(USERS, json=new, headers=key)
    except httpx.TransportError as error:
        journal.failures.append(error)
        return None
    if answer.status_code != 201:
        journal.failures.append(answer.status_code)
        return None
    return str(answer.json()["id"])


def workers_of(server: ServerProcess) -> set[int]:
    pid = server.process.pid
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


async def kill_one_worker(server: ServerProcess) -> None:
    before = workers_of(server)
    os.kill(min(before), 9)
    await until(lambda: len(workers_of(server)) == WORKERS and workers_of(server) != before)


async def test_a_killed_worker_and_the_next_version_lose_and_repeat_nothing(
    server: ServerProcess, start_server: Callable[..., ServerProcess]
) -> None:
    journal, done = Journal(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(create_users(server, journal, done))
        await journal.grow(20)
        await kill_one_worker(server)
        await journal.grow(20)
        killed, journal.failures = journal.failures, []

        # the next version takes the port over
        next_version = partial(start_server, beside=server, APP_PORT=server.port)
        following = await asyncio.to_thread(next_version)
        await until(lambda: server.process.poll() is not None)
        await journal.grow(20)
        done.set()
    following.close()

    assert len(killed) <= 4, killed  # what that worker was doing for each client
    assert journal.failures == []
    assert server.process.returncode == 0
    found = {str(row[0]) for row in execute(server.database_url, "SELECT id FROM users")}
    assert found == set(journal.made)
    assert len(journal.made) == len(found)
    audited = "SELECT count(*) FROM audit WHERE entity = 'users'"
    assert execute(server.database_url, audited)[0][0] == len(found)
