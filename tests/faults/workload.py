"""Clients whose histories show what was lost, done twice or seen in two orders."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import httpx
from tests.faults.checkers import (
    check_append,
    check_causal,
    check_counter,
    check_ids,
    check_register,
    check_set,
)
from tests.faults.fleet import Client, Fleet
from tests.faults.histories import History, outcome_of
from tests.faults.reading import POSTS
from tests.faults.rig.report import Rows
from tests.kingpost.support import Outside, until

WRITERS = 3
ENOUGH = 1900
"""Characters: a longer content of a post is refused, and a slow machine writes for minutes."""
UNLIKE = """
    SELECT id FROM (SELECT * FROM posts WHERE author_id::text = :author) p FULL JOIN (
        SELECT entity_id, count(*) AS n FROM audit WHERE entity_id IN (
            SELECT entity_id FROM audit
            WHERE entity = 'posts' AND changes->>'author_id' = :author)
        GROUP BY entity_id) a ON a.entity_id = p.id::text
    WHERE a.n IS DISTINCT FROM p.version
"""


@asynccontextmanager
async def working(fleet: Fleet, rows: Rows) -> AsyncIterator[None]:
    """Some add posts and others edit one, inside the block; then their histories are judged."""
    history, edits, done = History(), History(), asyncio.Event()
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        clients = [Client(fleet, number, http) for number in range(2 * WRITERS + 1)]
        user = await clients[0].until_answered(
            "POST", "/api/v1/users", json={"email": f"{uuid4()}@example.org"}
        )
        author = user.json()["id"]
        post = await clients[0].until_answered("POST", POSTS, json=body("0", "", author))
        edited = f"{POSTS}/{post.json()['id']}"
        async with asyncio.TaskGroup() as group:
            for number in range(WRITERS):
                group.create_task(add(clients[number], number, history, author, done))
                group.create_task(edit(clients[WRITERS + number], number, edits, edited, done))
            try:
                yield
                await until(lambda: len(history.of("add", "ok")) > 20)
                await until(lambda: len(edits.of("write", "ok")) > 10)
            finally:
                done.set()
        await read(clients[-1], edits, edited)
    await judge(fleet, author, history, edits, rows)


def body(title: str, content: str, author: str) -> dict[str, str]:
    return {"title": title, "content": f"{content}.", "author_id": author}


async def add(
    client: Client, process: int, history: History, author: str, done: asyncio.Event
) -> None:
    """Keyed creates: each is repeated until it is known to be done, and then is there once."""
    number = 0
    while not done.is_set():
        number += 1
        title = f"{process}-{number}"
        with history.operation(process, "add", title) as operation:
            answer = await client.until_answered("POST", POSTS, json=body(title, "", author))
            assert answer.status_code == 201, answer.text
            operation.outcome, operation.result = "ok", answer.json()["id"]
        await asyncio.sleep(0.005)


async def edit(
    client: Client, process: int, edits: History, path: str, done: asyncio.Event
) -> None:
    """Reads a post, counts in its title, appends to its content, and writes it if unchanged."""
    number = 0
    while not done.is_set():
        before = await read(client, edits, path)
        title, content = before.json()["title"], before.json()["content"]
        if len(content) > ENOUGH:
            await asyncio.sleep(0.2)  # from now on this one is a reader
            continue
        number += 1
        token = f"{process}-{number}"
        changed = {"title": str(int(title) + 1), "content": f"{content} {token}"}
        with (
            edits.operation(process, "write", (version_of(before), changed["content"])) as write,
            edits.operation(process, "append", token) as append,
            edits.operation(process, "add", 1) as count,
        ):
            try:
                answer = await client.send(
                    "PATCH", path, json=changed, headers={"If-Match": before.headers["etag"]}
                )
            except httpx.TransportError:
                continue
            assert answer.status_code in {200, 412, 503}, answer.text
            slug = answer.json().get("type", "").rpartition("/")[2]
            write.outcome = append.outcome = count.outcome = outcome_of(answer.status_code, slug)
            write.result = version_of(answer) if answer.status_code == 200 else None
        await asyncio.sleep(0.02)


async def read(client: Client, edits: History, path: str) -> httpx.Response:
    with (
        edits.operation(9, "read") as whole,
        edits.operation(9, "read tokens") as tokens,
        edits.operation(9, "read count") as count,
    ):
        answer = (await client.until_answered("GET", path)).raise_for_status()
        post = answer.json()
        whole.result = (version_of(answer), post["content"])
        tokens.result = post["content"].split()[1:]
        count.result = int(post["title"])
        whole.outcome = tokens.outcome = count.outcome = "ok"
    return answer


def version_of(answer: httpx.Response) -> int:
    # that of the post; the author has one too
    found = re.match(r'"(\d+)\b', answer.headers["etag"])
    assert found, answer.headers["etag"]
    return int(found[1])


async def judge(fleet: Fleet, author: str, history: History, edits: History, rows: Rows) -> None:
    asked = [*history, *edits.of("write"), *edits.of("read")]
    async with Outside(fleet.servers[0].database_url) as sql:
        mine = "SELECT title FROM posts WHERE author_id::text = :author AND title LIKE '%-%'"
        titles = [row[0] for row in await sql(mine, author=author)]
        unlike = await sql(UNLIKE, author=author)
    with history.operation(9, "read") as last:
        last.result, last.outcome = titles, "ok"
    wrong = [line for check in (check_set, check_causal, check_ids) for line in check(history)]
    wrong += check_register(edits)
    wrong += check_append(only(edits, "append", "read tokens"))
    wrong += check_counter(only(edits, "add", "read count"))
    rows.history(asked, wrong)
    assert wrong == []
    assert unlike == []  # a row of the audit for each version, and none more


def only(history: History, change: str, look: str) -> History:
    """The changes of one kind, and the reads that belong to it under the name of `read`."""
    kept = [operation for operation in history if operation.kind in {change, look}]
    return History([replace(it, kind="read") if it.kind == look else it for it in kept])
