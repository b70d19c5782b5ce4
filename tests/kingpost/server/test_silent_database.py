"""PostgreSQL goes silent without closing a connection, as in a failover: nobody hangs."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio
from tests.kingpost.proxy import Proxy, proxied

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


@pytest_asyncio.fixture
async def behind(
    proxy: Proxy, project: Any, service_environ: Any, tmp_path: Any
) -> AsyncIterator[ServerProcess]:
    environ = dict(service_environ)
    environ |= {project.env_prefix + name.upper(): str(value) for name, value in LIMITS.items()}
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
