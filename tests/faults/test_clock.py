"""The clock of the service is wrong, and steps; that of the database decides."""

import asyncio
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from tests.faults.reading import POSTS, all_posts
from tests.faults.rig.sabotaged import Clock
from tests.faults.rig.scene import Scene, heal, loaded

from kingpost.testing.process import ServerProcess

HOUR = timedelta(hours=1).total_seconds()
HASH_OF = "sha256('kingpost:idempotency-key:"
YEAR = timedelta(days=365).total_seconds()


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    clock = Clock(tmp_path / "clock")
    clock.step(0)
    return clock


@pytest.fixture
def stage_environ(clock: Clock) -> Mapping[str, str]:
    return clock.environ()


@pytest.fixture
def stage_settings() -> Mapping[str, str]:
    return {"APP_KEY_CACHE_SECONDS": "0"}


@dataclass(frozen=True)
class Before:
    """What clients know from before the clock steps."""

    author: str
    lasting: dict[str, str]
    ended: dict[str, str]
    cursor: str


async def test_a_clock_that_is_wrong_and_steps_decides_nothing(stage: Scene, clock: Clock) -> None:
    ahead = Clock(clock.file.with_name("ahead"))
    ahead.step(30)
    other = await asyncio.to_thread(stage.start(ahead.environ()).wait_until_ready)
    async with loaded(stage) as run, client(stage.service) as http, client(other) as second:
        for shift in (HOUR, -HOUR, 30 * YEAR):
            before = await prepared(stage, http)
            clock.step(shift)
            assert await seconds_wrong(http, before) == pytest.approx(shift, abs=120)
            await keys_end_by_the_clock_of_the_database(http, before)
            await answers_are_remembered_by_the_clock_of_the_database(stage, http, before)
            await lists_go_on_in_the_order_of_the_database(http, second, before)
        heal(run)


def client(server: ServerProcess) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=server.url, headers=server.headers, trust_env=False, timeout=20
    )


async def made(http: httpx.AsyncClient, path: str, **new: Any) -> dict[str, Any]:
    headers = {"Idempotency-Key": f'"{new.pop("key", uuid4())}"'}
    answer = await http.post(path, json=new, headers=headers)
    return dict(answer.raise_for_status().json())


async def prepared(stage: Scene, http: httpx.AsyncClient) -> Before:
    author = (await made(http, "/api/v1/users", email=f"{uuid4()}@example.org"))["id"]
    keys = [await made(http, "/api/v1/keys", name="k", scopes=["posts:read"]) for _ in range(2)]
    for key, left in zip(keys, ("30 minutes", "-30 minutes"), strict=True):
        await ends(stage, f"now() + interval '{left}'", f"keys WHERE id = '{key['id']}'")
    for title in ("first", "second"):
        await made(http, POSTS, key=f"{author}-{title}", **post(author, title))
    page = (await http.get(POSTS, params={"limit": 1, "author_id": author})).json()
    bearers = [{"Authorization": f"Bearer {key['key']}"} for key in keys]
    return Before(author, *bearers, page["next"])


async def ends(stage: Scene, at: str, row: str) -> None:
    """Sets when a row expires."""
    table, _, condition = row.partition(" ")
    change = f"UPDATE {table} SET expires_at = {at} {condition}"  # noqa: S608 - of this file
    await asyncio.to_thread(stage.sql, change)


def post(author: str, title: str) -> dict[str, str]:
    return {"title": title, "content": "-", "author_id": author}


async def seconds_wrong(http: httpx.AsyncClient, before: Before) -> float:
    """As the id of a new row betrays it (RFC 9562, version 7)."""
    new = await made(http, POSTS, **post(before.author, "of now"))
    removed = await http.delete(f"{POSTS}/{new['id']}", headers={"If-Match": "*"})
    assert removed.status_code == 204
    return (UUID(new["id"]).int >> 80) / 1000 - time.time()


async def keys_end_by_the_clock_of_the_database(http: httpx.AsyncClient, before: Before) -> None:
    lasting = await http.get(POSTS, headers=before.lasting)
    ended = await http.get(POSTS, headers=before.ended)
    assert (lasting.status_code, ended.status_code) == (200, 401)


async def answers_are_remembered_by_the_clock_of_the_database(
    stage: Scene, http: httpx.AsyncClient, before: Before
) -> None:
    posts = await all_posts(http, author_id=before.author)
    for shown in posts:
        key, new = f"{before.author}-{shown['title']}", post(before.author, shown["title"])
        assert (await made(http, POSTS, key=key, **new))["id"] == shown["id"]
    await ends(
        stage, "now()", f"idempotency_keys WHERE key_hash = {HASH_OF}{before.author}-second')"
    )
    key, new = f"{before.author}-second", post(before.author, "second")
    assert (await made(http, POSTS, key=key, **new))["id"] not in {shown["id"] for shown in posts}


async def lists_go_on_in_the_order_of_the_database(
    http: httpx.AsyncClient, second: httpx.AsyncClient, before: Before
) -> None:
    asked = {"cursor": before.cursor, "author_id": before.author}
    rest = (await http.get(POSTS, params=asked)).raise_for_status().json()["items"]
    assert [shown["title"] for shown in rest] == ["first"]
    titles = [f"{number}" for number in range(4)]
    for title, either in zip(titles, itertools.cycle((http, second)), strict=False):
        await made(either, POSTS, **post(before.author, title))
    shown = [shown["title"] for shown in await all_posts(http, author_id=before.author)]
    assert shown[:4] == titles[::-1]
