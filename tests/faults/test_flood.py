"""Fault 20: thousands of clients that send nothing, half, or slowly, or do not read.

None of them has to be kept out by a proxy. Good clients work beside them, on the same port.
"""

import asyncio
import random
import re
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx
import pytest
from tests.faults.rig.journal import FOUND, Limits, Operation, Run, found
from tests.faults.rig.load import Client, watch_probes
from tests.faults.rig.report import Rows
from tests.faults.rig.verifier import a_key_acts_once, nothing_acknowledged_is_lost
from tests.faults.test_descriptors import descriptors
from tests.kingpost.support import Outside, until

from kingpost.testing.process import ServerProcess

HEAD = "HTTP/1.1\r\nHost: localhost\r\n"
GOOD_CLIENTS = 4
POOLS = 20  # connections to the database, which may be opened meanwhile
SETTINGS = {
    "APP_REQUEST_TIMEOUT": "6",
    "APP_STATEMENT_TIMEOUT": "5",
    "APP_LOCK_TIMEOUT": "4",
    "APP_ACQUIRE_TIMEOUT": "3",
    "APP_BODY_TIMEOUT": "2",
    "APP_WRITE_TIMEOUT": "2",
    "APP_KEEP_ALIVE_TIMEOUT": "4",
}
on_one_driver = pytest.mark.parametrize("driver", ["asyncpg"], indirect=True)


@dataclass(frozen=True)
class Size:
    """How many of each kind."""

    heads: int
    silent: int
    bodies: int
    readers: int
    limit: int


SHORT = Size(heads=150, silent=250, bodies=30, readers=10, limit=60)
LONG = Size(heads=2000, silent=5000, bodies=200, readers=50, limit=900)


@dataclass
class Flood:
    """Hostile clients, each of which goes on until the server ends its connection.

    Attributes:
        server: the victim.
        free: how many connections this process may have.
        ended: what the server said at the end to each, by kind.
    """

    server: ServerProcess
    free: asyncio.Semaphore
    ended: dict[str, list[bytes]] = field(default_factory=dict)

    async def run(self, size: Size) -> None:
        """All beside each other; they come within seconds."""
        key = f"Authorization: Bearer {self.server.key}\r\n"
        upload = f"POST /api/v1/users {HEAD}{key}Content-Type: application/json\r\n"
        upload += "Content-Length: 1000\r\n\r\n"
        half = f"GET /api/v1/users {HEAD}X: "
        every = [self._one("silent", "") for _ in range(size.silent)]
        every += [self._one("head", half) for _ in range(size.heads)]
        every += [self._one("body", upload, drip=b" ") for _ in range(size.bodies)]
        random.Random(20).shuffle(every)
        async with asyncio.TaskGroup() as group:
            for one in every:
                group.create_task(one)
                await asyncio.sleep(0.002)

    async def _one(self, kind: str, begin: str, drip: bytes = b"") -> None:
        async with self.free:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
            said = b""
            with suppress(ConnectionError):
                writer.write(begin.encode())
                said = await self._until_closed(reader, writer, drip)
            writer.close()
        self.ended.setdefault(kind, []).append(said)

    async def _until_closed(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, drip: bytes
    ) -> bytes:
        read = asyncio.ensure_future(reader.read())
        while drip and not read.done():
            writer.write(drip)
            await asyncio.wait([read], timeout=0.2)
        return await read


def slow_readers(server: ServerProcess, number: int) -> list[socket.socket]:
    """Clients that ask for one large list after the other and read none."""
    one = f"GET /api/v1/posts?limit=100 {HEAD}Authorization: Bearer {server.key}\r\n\r\n"
    opened = []
    for _ in range(number):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", server.port))
        client.sendall(one.encode() * 100)
        opened.append(client)
    return opened


async def write_large_posts(http: httpx.AsyncClient) -> None:
    author = (await http.post("/api/v1/users", json={"email": "ada@example.com"})).json()["id"]
    post = {"title": "On engines", "content": "\x01" * 2000, "author_id": author}  # escaped: 12 KB
    made = await http.post("/api/v1/posts:batch", json={"items": [post] * 100})
    assert made.status_code == 201, made.text


@asynccontextmanager
async def good_clients(server: ServerProcess) -> AsyncIterator[Run]:
    """They create, change, delete and read, and ask for /livez."""
    run, end = Run(Limits(answer_seconds=4.0, hang_seconds=8.0)), asyncio.Event()
    options = {"headers": server.headers, "trust_env": False, "timeout": 30.0}
    async with httpx.AsyncClient(base_url=server.url, **options) as http:
        await write_large_posts(http)
        async with asyncio.TaskGroup() as group:
            for number in range(GOOD_CLIENTS):
                group.create_task(Client(number, http, run).work(end))
            group.create_task(watch_probes(http, run, end))
            try:
                await until(lambda: len(run.operations) > 60)
                yield run
            finally:
                end.set()


async def newcomers(port: int, end: asyncio.Event) -> list[bytes]:
    """One client after the other, each on a connection of its own; returns what they got."""
    said = []
    while not end.is_set():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"GET /livez {HEAD}Connection: close\r\n\r\n".encode())
            said.append(await reader.read())
        except ConnectionError as error:
            said.append(repr(error).encode())
        writer.close()
        await asyncio.sleep(0.05)
    return said


def room() -> int:
    """How many connections this process may open, some kept for all the rest."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(hard, 10_000) - 500


@on_one_driver
async def test_good_clients_go_on_beside_hostile_ones(
    start_server: Callable[..., ServerProcess], rows: Rows, is_long: bool
) -> None:
    size = LONG if is_long else SHORT
    server = start_server(**SETTINGS, APP_MAX_CONNECTIONS=size.limit)
    flood, end = Flood(server, asyncio.Semaphore(room())), asyncio.Event()
    files = size.limit + 100  # so few that without the limit nobody would get in
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (files, files))
    async with good_clients(server) as run:
        new = asyncio.create_task(newcomers(server.port, end))
        before, begun = descriptors(server.process.pid), len(run.operations)
        readers = slow_readers(server, size.readers)
        await within(240, flood.run(size))
        end.set()
        served = [b" 200 " in said for said in await new]
        await until(lambda: asyncio.to_thread(only_good_ones_are_connected, server))
        assert descriptors(server.process.pid) <= before + POOLS
        await until(lambda: len(run.operations) > begun + 100)
    for client in readers:
        client.close()
    async with Outside(server.database_url) as sql:
        run.found = found(*[await sql(query) for query in FOUND])
    rows.run(run)

    assert {kind: len(said) for kind, said in flood.ended.items()} == {
        "silent": size.silent, "head": size.heads, "body": size.bodies,
    }  # fmt: skip
    assert all(said == b"" or b" 408 " in said for said in flood.ended["body"])
    assert any(b" 408 " in said for said in flood.ended["body"])
    failed = [str(one) for one in run.operations if not went_well(one)]
    assert len(failed) <= len(run.operations) / 100, failed
    assert sum(served) >= 0.9 * len(served) > 10  # this process may be slow to send for them
    assert {probe.status for probe in run.probes if probe.path == "/livez"} == {200}
    assert [*nothing_acknowledged_is_lost(run), *a_key_acts_once(run)] == []


def only_good_ones_are_connected(server: ServerProcess) -> bool:
    """Also the one that watches the probes, and this one."""
    metrics = httpx.get(server.url + "/metrics", trust_env=False, timeout=30).text
    (connected,) = re.findall(r"^http_server_connections (\S+)$", metrics, re.MULTILINE)
    return float(connected) <= GOOD_CLIENTS + 2


def went_well(one: Operation) -> bool:
    """A post changes with its author, so its entity tag may be an old one without any fault."""
    return one.outcome == "ok" or one.status == 412


async def within(seconds: float, work: Awaitable[None]) -> None:
    """The bound only ends a hanging test."""
    async with asyncio.timeout(seconds):
        await work
