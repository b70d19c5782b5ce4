"""A server that may open no more files."""

import asyncio
import resource
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from socket import create_connection

import httpx
from tests.kingpost.support import until

from kingpost.testing.process import NO_TLS, ServerProcess

USERS = "/api/v1/users"


async def test_a_server_out_of_file_descriptors_serves_who_is_in_and_then_everybody(
    start_server: Callable[..., ServerProcess],
) -> None:
    server = start_server()
    pid = server.process.pid
    async with httpx.AsyncClient(
        base_url=server.url, headers=server.headers, trust_env=False, timeout=30
    ) as inside:
        assert (await inside.get(USERS)).status_code == 200
        before = descriptors(pid)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, 64))
        with ExitStack() as crowd:
            for _ in range(100):
                crowd.enter_context(create_connection(("127.0.0.1", server.port)))
            await until(lambda: descriptors(pid) >= 63)
            answers = [await inside.get(USERS) for _ in range(5)]
            assert [answer.status_code for answer in answers] == [200] * 5
        await until(lambda: descriptors(pid) <= before + 2)
    await until(lambda: asyncio.to_thread(new_client_is_served, server))


def new_client_is_served(server: ServerProcess) -> bool:
    try:
        answer = httpx.get(
            server.url + USERS, headers=server.headers, timeout=5, trust_env=False, verify=NO_TLS
        )
    except httpx.TransportError:
        return False
    return answer.status_code == 200


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
