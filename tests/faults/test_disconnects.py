"""Clients that go away in the middle of a request, at whatever byte."""

import random
import socket
import struct
import time
from uuid import uuid4

import httpx
from tests.kingpost.support import Outside, until

from kingpost.testing.process import ServerProcess

USERS = "/api/v1/users"
CLIENTS = 100


def request(server: ServerProcess, mark: str, number: int) -> bytes:
    body = f'{{"email":"{mark}.{number}@example.org"}}'
    lines = [
        f"POST {USERS} HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        f"Authorization: Bearer {server.key}",
        "Content-Type: application/json",
        f'Idempotency-Key: "{mark}-{number}"',
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", body]).encode()


def vanish(server: ServerProcess, sent: bytes, seconds: float) -> None:
    """Sends so much, stays for so long, and leaves with a reset."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(sent)
        time.sleep(seconds)  # up to the end of its work in the server


async def test_clients_that_vanish_anywhere_leave_whole_changes_and_an_idle_pool(
    server: ServerProcess,
) -> None:
    mark, chance = f"gone{uuid4().hex}", random.Random(24)
    for number in range(CLIENTS):
        whole = request(server, mark, number)
        cut = chance.choice([len(whole), chance.randrange(1, len(whole) + 1)])
        vanish(server, whole[:cut], chance.uniform(0, 0.01))
    async with (
        httpx.AsyncClient(base_url=server.url, headers=server.headers, trust_env=False) as http,
        Outside(server.database_url) as sql,
    ):
        await until(lambda: is_idle(http))
        made = await sql("SELECT id::text FROM users WHERE email LIKE :mark", mark=f"{mark}.%")
        audited = await sql(
            "SELECT entity_id FROM audit WHERE changes->>'email' LIKE :mark", mark=f"{mark}.%"
        )
        assert sorted(audited) == sorted(made)
        open_ones = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
        assert not await sql(f"{open_ones} AND state LIKE 'idle in transaction%'")

        for number in range(CLIENTS):
            again = await http.post(
                USERS,
                json={"email": f"{mark}.{number}@example.org"},
                headers={"Idempotency-Key": f'"{mark}-{number}"'},
            )
            assert again.status_code == 201, again.text
        everybody = await sql("SELECT id FROM users WHERE email LIKE :mark", mark=f"{mark}.%")
        assert len(everybody) == CLIENTS
        assert 0 < len(made) < CLIENTS
    assert "in progress" not in server.log.read_text()


async def is_idle(http: httpx.AsyncClient) -> bool:
    """Whether nothing is served but this question, and every connection is back in its pool."""
    shown = (await http.get("/metrics")).text.splitlines()
    wanted = {
        "http_server_requests_in_flight 1.0",
        "database_pool_in_use 0.0",
        "database_pool_waiting 0.0",
    }
    return wanted <= set(shown)
