"""Several processes of the service on one database, to be killed, stopped and replaced."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from kingpost.embedded import EmbeddedPostgres
from kingpost.project import Project
from kingpost.testing.databases import Databases
from kingpost.testing.process import ServerProcess, launch
from kingpost.testing.service import key_for


@dataclass
class Fleet:
    """Two or more processes; clients turn to the next one when theirs is gone."""

    start: Callable[[], ServerProcess]
    servers: list[ServerProcess] = field(default_factory=list)

    def grow(self, number: int) -> None:
        started = [self.start() for _ in range(number)]
        self.servers += [server.wait_until_ready() for server in started]

    def kill(self, index: int) -> None:
        self.servers[index].process.kill()
        self.servers[index].process.wait()

    async def replace(self, index: int) -> None:
        server = self.start()
        self.servers[index] = await asyncio.to_thread(server.wait_until_ready)

    def close(self) -> None:
        for server in self.servers:
            server.close()


@contextmanager
def running_fleet(
    project: Project,
    postgres: EmbeddedPostgres,
    databases: Databases,
    template: str,
    environ: Mapping[str, str],
    driver: Any,
    folder: Path,
) -> Iterator[Fleet]:
    """Two processes on a database of their own."""
    with databases.copy(template) as name:
        url = postgres.url(name, driver)
        key = key_for(project, environ, url)
        fleet = Fleet(
            lambda: launch(
                project.root,
                environ=environ,
                prefix=project.env_prefix,
                database_url=url,
                log=folder / "log",
                key=key,
            )
        )
        try:
            fleet.grow(2)
            yield fleet
        finally:
            fleet.close()


@dataclass
class Client:
    """Sends to one process, and turns to the next one when the connection is lost."""

    fleet: Fleet
    turn: int
    http: httpx.AsyncClient

    async def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One attempt; a lost connection is the caller's to judge."""
        server = self.fleet.servers[self.turn % len(self.fleet.servers)]
        try:
            answer = await self.http.request(
                method, server.url + path, headers=self._headers(more), **more
            )
        except httpx.TransportError:
            self.turn += 1
            raise
        return answer

    def _headers(self, more: dict[str, Any]) -> dict[str, str]:
        own = more.pop("headers", {})
        return self.fleet.servers[0].headers | dict(own)

    async def until_answered(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Again with the same key until it is known what became of it."""
        headers = {"Idempotency-Key": f'"{uuid4()}"'} if method == "POST" else {}
        headers |= dict(more.pop("headers", {}))
        for _ in range(100):
            try:
                answer = await self.send(method, path, headers=headers, **more)
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code != 503 and "in-flight" not in answer.text:
                return answer
            await asyncio.sleep(0.1)
        raise AssertionError(f"{method} {path} got no definite answer in a hundred attempts")
