"""A server process that stands still, and one that is told to end, while another serves."""

import asyncio
import signal
import socket
from collections.abc import Mapping

import httpx
import pytest
from tests.faults.checkers import check_ids, check_set
from tests.faults.fleet import Client, Fleet
from tests.faults.histories import History
from tests.faults.reading import POSTS
from tests.faults.rig.report import Rows
from tests.faults.test_feed import WAITING, author, delayed
from tests.kingpost.support import Outside, until

from kingpost.testing.process import ServerProcess

TITLES = "SELECT title FROM posts"


@pytest.fixture
def fleet_settings() -> Mapping[str, object]:
    patient = {"APP_REQUEST_TIMEOUT": 60, "APP_STATEMENT_TIMEOUT": 50, "APP_LOCK_TIMEOUT": 40}
    return {**patient, "APP_IDLE_TRANSACTION_TIMEOUT": 1}


async def test_a_process_that_stands_still_keeps_no_key_and_another_serves(fleet: Fleet) -> None:
    stopped, other = fleet.servers
    async with (
        httpx.AsyncClient(trust_env=False, timeout=60, headers=stopped.headers) as http,
        httpx.AsyncClient(base_url=other.url, headers=other.headers, trust_env=False) as good,
        Outside(other.database_url) as sql,
    ):
        user = await author(good, "ada@example.org")
        new = {"title": "once", "content": "-", "author_id": user}
        key = {"Idempotency-Key": '"stands-still"'}
        async with delayed(other, user):
            first = asyncio.create_task(http.post(stopped.url + POSTS, json=new, headers=key))
            await until(lambda: sql(WAITING))
            stopped.process.send_signal(signal.SIGSTOP)
        try:
            reads = [await good.get(POSTS) for _ in range(20)]
            assert {answer.status_code for answer in reads} == {200}
            second = await Client(fleet, 1, http).until_answered(
                "POST", POSTS, json=new, headers=key
            )
            assert second.status_code == 201, second.text
        finally:
            stopped.process.send_signal(signal.SIGCONT)
        assert (await first).status_code in {201, 503}
        assert await sql(TITLES) == [("once",)]


@pytest.mark.parametrize("times", [1, 2])
async def test_a_server_that_is_told_to_end_under_load_does_everything_once(
    fleet: Fleet, rows: Rows, times: int
) -> None:
    history, done = History(), asyncio.Event()
    async with (
        httpx.AsyncClient(trust_env=False, timeout=30, headers=fleet.servers[0].headers) as http,
        Outside(fleet.servers[1].database_url) as sql,
    ):
        client = Client(fleet, 0, http)
        made = await client.until_answered("POST", "/api/v1/users", json={"email": "a@b.example"})
        slow = await client.until_answered("POST", "/api/v1/users", json={"email": "s@b.example"})
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                writing = write(Client(fleet, 0, http), number, history, made.json()["id"], done)
                group.create_task(writing)
            await until(lambda: len(history.of("add", "ok")) > 40)
            async with delayed(fleet.servers[1], slow.json()["id"]):
                last_one = asyncio.create_task(add_slowly(fleet, http, slow.json()["id"]))
                await until(lambda: sql(WAITING))
                for _ in range(times):
                    fleet.servers[0].process.send_signal(signal.SIGTERM)
                await until(lambda: refuses(fleet.servers[0]))
            code = await asyncio.to_thread(fleet.servers[0].process.wait, 60)
            assert (await last_one).status_code == 201
            served = len(history.of("add", "ok"))
            await until(lambda: len(history.of("add", "ok")) > served + 40)
            done.set()
        asked = list(history)
        with history.operation(9, "read") as last:
            last.result, last.outcome = [row[0] for row in await sql(TITLES)], "ok"
            last.result.remove("slow")
    wrong = [*check_set(history), *check_ids(history)]
    rows.history(asked, wrong)
    assert code == 0
    assert wrong == []


def refuses(server: ServerProcess) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", server.port)) != 0


async def add_slowly(fleet: Fleet, http: httpx.AsyncClient, user: str) -> httpx.Response:
    """To the server that is told to end, and without a second try."""
    new = {"title": "slow", "content": "-", "author_id": user}
    return await http.post(fleet.servers[0].url + POSTS, json=new)


async def write(
    client: Client, process: int, history: History, user: str, done: asyncio.Event
) -> None:
    number = 0
    while not done.is_set():
        number += 1
        title = f"{process}-{number}"
        with history.operation(process, "add", title) as operation:
            new = {"title": title, "content": "-", "author_id": user}
            answer = await client.until_answered("POST", POSTS, json=new)
            assert answer.status_code == 201, answer.text
            operation.outcome, operation.result = "ok", answer.json()["id"]
