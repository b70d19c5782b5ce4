"""What a client sees when the database is in trouble: the service in a process of its own."""

import asyncio
import re
import signal
import socket
import struct
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from uuid import uuid4

import httpx
import pytest
from tests.kingpost.support import Outside, holding, until

from kingpost.testing.process import ServerProcess

Start = Callable[..., ServerProcess]

# So long that only the limit under test can be what ends a request.
PATIENT = {
    "APP_REQUEST_TIMEOUT": 120,
    "APP_STATEMENT_TIMEOUT": 110,
    "APP_LOCK_TIMEOUT": 100,
    "APP_ACQUIRE_TIMEOUT": 90,
}
OTHERS = "datname = current_database() AND pid <> pg_backend_pid()"
SERVICE = f"{OTHERS} AND application_name = 'app'"
USERS = "/api/v1/users"


@pytest.fixture
def start(start_server: Start) -> Start:
    return lambda **limits: start_server(**PATIENT | limits)


def client_of(server: ServerProcess) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=server.url, headers=server.headers, trust_env=False, timeout=120.0
    )


def locked(server: ServerProcess, table: str = "users") -> AbstractAsyncContextManager[None]:
    """Nobody else can even read the table inside the block."""
    return holding(server.database_url, f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")


async def count(server: ServerProcess, sessions: str) -> int:
    async with Outside(server.database_url) as sql:
        query = f"SELECT pid FROM pg_stat_activity WHERE {sessions}"  # noqa: S608 - of this file
        found = await sql(query)
        return len(found)


async def metric(http: httpx.AsyncClient, name: str) -> float:
    shown = (await http.get("/metrics")).text
    found = re.search(rf"^{re.escape(name)} (\S+)$", shown, re.MULTILINE)
    return float(found[1]) if found else 0.0


def is_busy(answer: httpx.Response, why: str) -> bool:
    document = answer.json()
    assert (answer.status_code, document["type"]) == (503, "/problems/temporary-reduced-capacity")
    assert int(answer.headers["retry-after"]) > 0
    assert document["request_id"] == answer.headers["x-request-id"]
    return why in document["detail"]


async def test_killed_connections_in_the_pool_cost_the_client_nothing(start: Start) -> None:
    server = start(APP_POOL_SIZE=5, APP_DIRECT_POOL_SIZE=5)
    async with client_of(server) as http:
        for number in range(3):
            filled = await asyncio.gather(*(http.get(USERS) for _ in range(10)))
            assert {answer.status_code for answer in filled} == {200}
            async with Outside(server.database_url) as sql:
                kill = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                assert await sql(f"{kill} WHERE {SERVICE}")

            reads = [http.get(USERS) for _ in range(5)]
            emails = [f"u{number}-{n}@example.org" for n in range(5)]
            writes = [http.post(USERS, json={"email": email}) for email in emails]
            answers = await asyncio.gather(*reads, *writes)
            assert [answer.status_code for answer in answers] == [200] * 5 + [201] * 5


async def test_an_empty_pool_is_503_within_the_acquire_timeout(start: Start) -> None:
    server = start(APP_DIRECT_POOL_SIZE=1, APP_ACQUIRE_TIMEOUT=0.2)
    async with client_of(server) as http:
        async with locked(server):
            waiting = asyncio.create_task(http.get(USERS))
            await until(lambda: count(server, f"{SERVICE} AND wait_event_type = 'Lock'"))

            assert is_busy(await http.get(USERS), "connections are in use")
            assert is_busy(await http.post(USERS, json={"email": "a@b.example"}), "in use")
            assert not waiting.done()  # its lock timeout is far away, so was ours not
        assert (await waiting).status_code == 200
        assert (await http.get(USERS)).json()["items"] == []


async def test_a_lock_that_is_held_too_long_is_503_and_counted(start: Start) -> None:
    server = start(APP_LOCK_TIMEOUT=0.5, APP_ACQUIRE_TIMEOUT=0.4)
    async with client_of(server) as http:
        async with locked(server):
            assert is_busy(await http.get(USERS), "locked")
            assert is_busy(await http.post(USERS, json={"email": "a@b.example"}), "locked")
        assert await metric(http, 'database_statements_total{sqlstate="55P03"}') == 2
        assert (await http.get(USERS)).json()["items"] == []
        assert (await http.post(USERS, json={"email": "a@b.example"})).status_code == 201


async def test_a_statement_that_takes_too_long_is_503_and_counted(start: Start) -> None:
    server = start(APP_LOCK_TIMEOUT=0.4, APP_STATEMENT_TIMEOUT=0.5, APP_ACQUIRE_TIMEOUT=0.3)
    async with Outside(server.database_url) as sql:
        await sql(
            "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$"
        )
        await sql(
            "CREATE TRIGGER linger BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION linger()"
        )
    async with client_of(server) as http:
        assert is_busy(await http.post(USERS, json={"email": "a@b.example"}), "too long")
        assert await metric(http, 'database_statements_total{sqlstate="57014"}') == 1
        assert (await http.get(USERS)).json()["items"] == []


async def test_too_many_requests_are_shed_lists_first_and_health_never(start: Start) -> None:
    server = start(APP_MAX_REQUESTS=8)
    async with client_of(server) as http:
        async with locked(server, "posts"):
            # Who asks for the metrics is one as well: the last one may not be a list.
            paths = ["/api/v1/posts"] * 6 + [f"/api/v1/posts/{uuid4()}"]
            waiting = [asyncio.create_task(http.get(path)) for path in paths]
            await until(lambda: in_flight(http, 7))

            assert is_busy(await http.get(USERS), "Too many requests")
            created = await http.post(USERS, json={"email": "a@b.example"})
            assert created.status_code == 201
            assert (await http.get(created.headers["location"])).status_code == 200
            assert (await http.get("/readyz")).status_code == 200
        assert [(await answer).status_code for answer in waiting] == [200] * 6 + [404]
        assert (await http.get(USERS)).status_code == 200
        assert await metric(http, 'http_server_requests_shed_total{kind="list"}') == 1


def reset(server: ServerProcess, request: bytes) -> socket.socket:
    """A client that will vanish with a reset when it is closed."""
    client = socket.create_connection(("127.0.0.1", server.port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.sendall(request)
    return client


def request(server: ServerProcess, method: str, body: bytes, length: int) -> bytes:
    head = [f"{method} {USERS} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {server.key}"]
    if length:
        head += ["Content-Type: application/json", f"Content-Length: {length}"]
    return "\r\n".join([*head, "", ""]).encode() + body


async def test_clients_that_vanish_leave_no_connection_and_no_transaction_behind(
    start: Start,
) -> None:
    server = start(APP_POOL_SIZE=4)
    async with client_of(server) as http:
        async with locked(server):
            clients = []
            for number in range(10):
                body = b'{"email":"u%d@example.org"}' % number
                clients += [
                    reset(server, request(server, "GET", b"", 0)),
                    reset(server, request(server, "POST", body, len(body))),
                    reset(server, request(server, "POST", body[:9], len(body))),
                ]
            await until(lambda: count(server, f"{SERVICE} AND wait_event_type = 'Lock'"))
            await until(lambda: in_flight(http, 30))
            for client in clients:
                client.close()
        await until(lambda: in_flight(http, 0))
        assert await metric(http, "database_pool_in_use") == 0
        assert await metric(http, "database_pool_waiting") == 0
        assert await count(server, f"{OTHERS} AND state LIKE 'idle in transaction%'") == 0

        answers = await asyncio.gather(*(http.get(USERS) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200}
        audit = (await http.get("/api/v1/audit", params={"entity": "users", "limit": 100})).json()
        made = {user["id"] for user in answers[0].json()["items"]}
        assert {entry["entity_id"] for entry in audit["items"]} == made


async def in_flight(http: httpx.AsyncClient, number: int) -> bool:
    """Whether so many requests are served beside the one that asks."""
    return await metric(http, "http_server_requests_in_flight") == number + 1


async def test_a_request_that_runs_at_sigterm_is_committed_and_answered(start: Start) -> None:
    server = start(APP_SHUTDOWN_TIMEOUT=100)
    async with client_of(server) as http:
        async with locked(server):
            waiting = asyncio.create_task(http.post(USERS, json={"email": "a@b.example"}))
            await until(lambda: count(server, f"{SERVICE} AND wait_event_type = 'Lock'"))
            server.process.send_signal(signal.SIGTERM)
            await until(lambda: not accepts(server))
            assert not waiting.done()
        created = await waiting
    assert created.status_code == 201, created.text
    assert created.headers["connection"] == "close"
    assert await asyncio.to_thread(server.stop) == 0
    async with Outside(server.database_url) as sql:
        assert await sql("SELECT email FROM users") == [("a@b.example",)]
        assert await count(server, SERVICE) == 0


def accepts(server: ServerProcess) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port)).close()
    except ConnectionRefusedError:
        return False
    return True
