"""A feed of new posts, while one writer commits late."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from uuid import uuid4

import httpx
import pytest
from tests.faults.checkers import check_causal, check_feed, check_ids, check_set
from tests.faults.histories import History
from tests.faults.reading import POSTS, Feed, all_posts
from tests.faults.rig.report import Rows
from tests.kingpost.support import Outside, holding, until

from kingpost.testing.process import ServerProcess

WAITING = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def delayed(server: ServerProcess, author: str) -> AbstractAsyncContextManager[None]:
    """A new post of this author waits for the block to end before it commits."""
    lock = f"SELECT 1 FROM users WHERE id = '{author}' FOR UPDATE"  # noqa: S608 - a UUID of ours
    return holding(server.database_url, lock)


def unique(name: str) -> str:
    """An address that no other test of the server has taken."""
    return f"{name}.{uuid4()}@example.org"


async def author(http: httpx.AsyncClient, email: str) -> str:
    made = await http.post("/api/v1/users", json={"email": email})
    return str(made.raise_for_status().json()["id"])


async def add(http: httpx.AsyncClient, history: History, title: str, author_id: str) -> None:
    body = {"title": title, "content": "-", "author_id": author_id}
    with history.operation(0, "add", title) as operation:
        made = (await http.post(POSTS, json=body)).raise_for_status()
        operation.outcome, operation.result = "ok", made.json()["id"]


async def take(feed: Feed, history: History) -> None:
    with history.operation(1, "take") as operation:
        operation.result = [post["title"] for post in await feed.take()]
        operation.outcome = "ok"


class Walk:
    """The obvious feed: it follows `previous` as far as there is one, one post at a time."""

    def __init__(self, http: httpx.AsyncClient, cursor: str) -> None:
        self._http = http
        self._cursor = cursor

    async def take(self) -> list[str]:
        found: list[str] = []
        while True:
            asked = {"limit": "1", "cursor": self._cursor}
            page = (await self._http.get(POSTS, params=asked)).raise_for_status().json()
            found += [post["title"] for post in page["items"]]
            if page["previous"] is None:
                return found
            self._cursor = page["previous"]


async def walk_from_the_oldest(http: httpx.AsyncClient) -> Walk:
    """Ahead of the oldest of two posts."""
    first = (await http.get(POSTS, params={"limit": "1"})).json()
    second = (await http.get(POSTS, params={"limit": "1", "cursor": first["next"]})).json()
    return Walk(http, second["previous"])


@pytest.fixture
async def http(server: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=server.url, headers=server.headers, trust_env=False, timeout=60
    ) as client:
        yield client


async def test_a_feed_that_looks_back_takes_a_late_commit_which_a_cursor_has_passed(
    server: ServerProcess, http: httpx.AsyncClient, rows: Rows
) -> None:
    history, feed = History(), Feed(http)
    await feed.take()  # what other tests have left
    slow, quick = await author(http, unique("slow")), await author(http, unique("quick"))
    await add(http, history, "first", quick)
    await add(http, history, "second", quick)
    await take(feed, history)
    walk = await walk_from_the_oldest(http)
    async with Outside(server.database_url) as sql, delayed(server, slow):
        late = asyncio.create_task(add(http, history, "late", slow))
        await until(lambda: sql(WAITING))  # its created_at is taken
        await add(http, history, "third", quick)
        await add(http, history, "fourth", quick)
        await take(feed, history)
        assert await walk.take() == ["second", "third", "fourth"]
    await late
    await take(feed, history)
    assert await walk.take() == ["fourth"]  # and not "late", which is behind it for ever
    assert "late" in history.of("take")[-1].result
    rows.history(history, wrong := check_feed(history))
    assert wrong == []


async def test_many_writers_and_a_feed_give_each_post_once_and_in_the_order_of_causes(
    http: httpx.AsyncClient, rows: Rows
) -> None:
    history, feed = History(), Feed(http)
    authors = [await author(http, unique(f"writer{n}")) for n in range(4)]
    await feed.take()  # what other tests have left
    async with asyncio.TaskGroup() as writers:
        tasks = [writers.create_task(write(http, history, number)) for number in authors]
        reader = writers.create_task(read_until_done(http, feed, history, tasks))
    await reader
    await take(feed, history)
    assert len(history.of("add", "ok")) == 40
    checks = (check_feed, check_set, check_causal, check_ids)
    rows.history(history, wrong := [line for check in checks for line in check(history)])
    assert wrong == []


async def write(http: httpx.AsyncClient, history: History, author_id: str) -> None:
    for number in range(10):
        await add(http, history, f"{author_id} {number}", author_id)


async def read_until_done(
    http: httpx.AsyncClient, feed: Feed, history: History, writers: list[asyncio.Task[None]]
) -> None:
    """Takes from the feed and reads the list as long as somebody writes, and once after."""
    before = {post["title"] for post in await all_posts(http)} - {o.value for o in history}
    done = False
    while not done:
        done = all(writer.done() for writer in writers)
        await take(feed, history)
        with history.operation(2, "read") as read:
            shown = [post["title"] for post in await all_posts(http)]
            read.result = [title for title in shown if title not in before]
            read.outcome = "ok"
