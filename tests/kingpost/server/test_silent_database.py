"""PostgreSQL goes silent without closing a connection, as in a failover: nobody hangs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import make_url
from tests.kingpost.proxy import Proxy, proxied
from tests.kingpost.support import holding

from kingpost.testing.process import ServerProcess, launch
from kingpost.testing.service import key_for

LIMITS = {
    "request_timeout": 2,
    "statement_timeout": 1.5,
    "lock_timeout": 1,
    "acquire_timeout": 0.5,
    "connect_timeout": 1,
    "pool_size": 2,
}


@pytest_asyncio.fixture
async def proxy(
    postgres: Any, databases: Any, migrated_template: str, driver: Any
) -> AsyncIterator[Proxy]:
    with databases.copy(migrated_template) as name:
        async with proxied(postgres.url(name, driver)) as running:
            yield running


# Nothing but the readiness check ends in time.
PATIENT = {
    "request_timeout": 120,
    "statement_timeout": 110,
    "lock_timeout": 100,
    "acquire_timeout": 90,
    "pool_size": 1,
}


@pytest_asyncio.fixture(params=[LIMITS])
async def behind(
    proxy: Proxy, project: Any, service_environ: Any, tmp_path: Any, request: Any
) -> AsyncIterator[ServerProcess]:
    environ = dict(service_environ)
    limits = request.param.items()
    environ |= {project.env_prefix + name.upper(): str(value) for name, value in limits}
    key = await asyncio.to_thread(key_for, project, environ, proxy.url)
    process = launch(
        project.root,
        environ=environ,
        prefix=project.env_prefix,
        database_url=proxy.url,
        log=tmp_path / "log",
        key=key,
    )
    try:
        yield await asyncio.to_thread(process.wait_until_ready)
    finally:
        proxy.thaw()
        await asyncio.to_thread(process.close)


def locked(postgres: Any, proxy: Proxy) -> AbstractAsyncContextManager[None]:
    """Nobody can change a user inside the block; the lock does not go through the proxy."""
    url = make_url(proxy.url)
    past = postgres.url(url.database, url.get_driver_name())
    return holding(past, "LOCK TABLE users IN EXCLUSIVE MODE")


async def until(http: httpx.AsyncClient, path: str, words: str) -> None:
    async with asyncio.timeout(60):
        while words not in (await http.get(path)).text:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.05)


async def test_every_request_is_answered_and_all_is_well_afterwards(
    proxy: Proxy, behind: ServerProcess
) -> None:
    options = {"headers": behind.headers, "trust_env": False, "timeout": 60.0}
    async with httpx.AsyncClient(base_url=behind.url, **options) as http:
        assert (await http.get("/api/v1/users")).status_code == 200

        proxy.freeze()
        reads = [http.get("/api/v1/users") for _ in range(4)]
        writes = [http.post("/api/v1/users", json={"email": f"u{n}@example.org"}) for n in range(4)]
        answers = await asyncio.gather(*reads, *writes)
        for answer in answers:
            assert answer.status_code == 503, answer.text
            assert answer.headers["retry-after"]
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
        assert "/problems/deadline-exceeded" in {answer.json()["type"] for answer in answers}
        assert (await http.get("/livez")).status_code == 200
        assert (await http.get("/readyz")).status_code == 503

        proxy.thaw()
        await until(http, "/readyz", '"ready"')
        await until(http, "/api/v1/users", '"items"')
        created = await http.post("/api/v1/users", json={"email": "after@example.org"})
        assert created.status_code == 201
        await until(http, "/metrics", "database_pool_in_use 0.0")


@pytest.mark.parametrize("behind", [PATIENT], indirect=True)
async def test_a_full_pool_is_ready_and_a_silent_database_behind_it_is_not(
    proxy: Proxy, behind: ServerProcess, postgres: Any
) -> None:
    options = {"headers": behind.headers, "trust_env": False, "timeout": 120.0}
    async with httpx.AsyncClient(base_url=behind.url, **options) as http:
        user = await http.post("/api/v1/users", json={"email": "ada@example.org"})
        change = {"json": {"name": "Ada"}, "headers": {"If-Match": "*"}}
        async with locked(postgres, proxy):
            path = user.headers["location"]
            changes = [asyncio.create_task(http.patch(path, **change)) for _ in range(2)]
            await until(http, "/metrics", "database_pool_waiting 1.0")

            assert (await http.get("/readyz")).status_code == 200
            proxy.freeze()
            assert (await http.get("/readyz")).status_code == 503
            proxy.thaw()
            await until(http, "/readyz", '"ready"')
            assert not any(change.done() for change in changes)
        assert [(await change).status_code for change in changes] == [200, 200]
