"""Several processes of the service on one database, to be killed, stopped and replaced."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from kingpost.testing.process import ServerProcess


@dataclass
class Fleet:
    """Two or more processes; clients turn to the next one when theirs is gone."""

    start: Callable[[], ServerProcess]
    servers: list[ServerProcess]

    def kill(self, index: int) -> None:
        self.servers[index].process.kill()
        self.servers[index].process.wait()

    async def replace(self, index: int) -> None:
        self.servers[index] = await asyncio.to_thread(self.start)


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
