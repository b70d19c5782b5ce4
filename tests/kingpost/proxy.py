"""A proxy between a driver and PostgreSQL that counts, freezes, and loses the end of a COMMIT."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from sqlalchemy.engine import make_url

from kingpost.database.drivers.connecting import HangUp

COMMIT = re.compile(rb"\bCOMMIT\b")  # and not the one in READ COMMITTED


class Proxy:
    """Listens on a Unix socket of its own and forwards to that of the server."""

    def __init__(self, folder: Path, url: str) -> None:
        server = make_url(url)
        self._server = f"{server.query['host']}/.s.PGSQL.{server.port or 5432}"
        self._socket = folder / ".s.PGSQL.5432"
        self.url = (
            server.set(port=None)
            .update_query_dict({"host": str(folder)})
            .render_as_string(hide_password=False)
        )
        self.round_trips: list[bytes] = []
        self.commit = COMMIT
        """What the proxy takes for one; of a single statement, say a value that only it has."""
        self.commits = 0
        self.at_commit: Literal["forward", "lose request", "lose reply", "hold reply"] = "forward"
        self.reply_held = asyncio.Event()
        self.reply_released = asyncio.Event()
        self.accepted = 0
        self.freeze_at: re.Pattern[bytes] | None = None
        """Freezes as soon as a client says this."""
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.answer_held = asyncio.Event()
        self._answering = asyncio.Event()
        self._answering.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def forget(self) -> None:
        """What is open now is silent for ever, as after a failover; new connections work."""
        self._flowing = asyncio.Event()
        self._flowing.set()

    def clients(self) -> int:
        """How many have connected and not hung up."""
        numbers = [it.get_extra_info("socket").fileno() for it in self._clients]
        return sum(number >= 0 and not HangUp(number).happened() for number in numbers)

    def hold_answers(self) -> None:
        """Questions go through; `answer_held` is set when the first answer has come."""
        self.answer_held.clear()
        self._answering.clear()

    def let_answers_go(self) -> None:
        self._answering.set()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    @asynccontextmanager
    async def over_tcp(self) -> AsyncIterator[str]:
        """The URL of the proxy on a TCP port, which the server itself does not have."""
        listening = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        try:
            yield (
                make_url(self.url)
                .set(host="127.0.0.1", port=port, query={})
                .render_as_string(hide_password=False)
            )
        finally:
            listening.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        listening = await asyncio.start_unix_server(self._accept, self._socket)
        try:
            yield self
        finally:
            self.thaw()
            self.let_answers_go()
            self.reply_released.set()
            listening.close()
            self.cut()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.accepted += 1
        self._clients.add(to_client)
        with suppress(OSError, asyncio.CancelledError):
            server, to_server = await asyncio.open_unix_connection(self._server)
            self._writers |= {to_client, to_server}
            await _Link(self, client, to_client, server, to_server).run()
        self._writers -= {to_client}
        self._clients -= {to_client}


class _Link:
    def __init__(
        self,
        proxy: Proxy,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        self.proxy, self.client, self.server = proxy, client, server
        self.flowing = proxy._flowing
        self.to_client, self.to_server = to_client, to_server
        self.waiting = False  # the client has spoken last
        self.committing = False

    async def run(self) -> None:
        halves = {asyncio.create_task(self._upstream()), asyncio.create_task(self._downstream())}
        try:
            await asyncio.wait(halves, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for half in halves:
                half.cancel()
            await asyncio.gather(*halves, return_exceptions=True)
            self.to_client.transport.abort()
            self.to_server.transport.abort()

    async def _upstream(self) -> None:
        while data := await self.client.read(65536):
            if self.proxy.freeze_at is not None and self.proxy.freeze_at.search(data):
                self.proxy.freeze()
            await self.flowing.wait()
            if not self.waiting:
                self.proxy.round_trips.append(b"")
            self.waiting = True
            self.proxy.round_trips[-1] += data
            if self.proxy.commit.search(data):
                self.proxy.commits += 1
                self.committing = self.proxy.at_commit != "forward"
                if self.proxy.at_commit == "lose request":
                    return
            self.to_server.write(data)

    async def _downstream(self) -> None:
        while data := await self.server.read(65536):
            await self.flowing.wait()
            if not self.proxy._answering.is_set():
                self.proxy.answer_held.set()
                await self.proxy._answering.wait()
            if self.committing and self.proxy.at_commit == "lose reply":
                return
            if self.committing and self.proxy.at_commit == "hold reply":
                self.proxy.reply_held.set()
                await self.proxy.reply_released.wait()
            self.waiting = False
            self.to_client.write(data)


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[Proxy]:
    with TemporaryDirectory(prefix="kp", dir="/tmp") as folder:
        async with Proxy(Path(folder), url).running() as proxy:
            yield proxy
