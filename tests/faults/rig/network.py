"""A TCP proxy in a thread of its own that freezes, cuts, delays and loses what it forwards.

It stands between service and database, or between client and service. All of its methods may be
called from any thread, at any time.
"""

import asyncio
import itertools
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

# An own COMMIT, or a single insert that is a transaction by itself.
COMMIT = re.compile(rb"\bCOMMIT\b|\bINSERT INTO (?:users|posts)\b")
_CHUNK = 65536


class NetworkProxy:
    """Forwards connections of a port of its own to another port on loopback.

    Args:
        target: the port of the server.

    Attributes:
        port: where it listens, once it runs.
        lost: how many replies or requests it has lost so far.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.lost = 0
        self.delay = 0.0
        self.lose: str | None = None
        self.every = 1
        self.commit = COMMIT
        self._commits = itertools.count(1)
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @contextmanager
    def running(self) -> Iterator["NetworkProxy"]:
        """Listens inside the block; at its end every connection is cut."""
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self._close(server), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()

    async def _listen(self) -> asyncio.Server:
        self._flowing = asyncio.Event()
        self._flowing.set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _close(self, server: asyncio.Server) -> None:
        server.close()
        self._flowing.set()
        links = list(self._links)
        for link in links:
            link.abort()
        await asyncio.gather(*(link.task for link in links), return_exceptions=True)

    def _call(self, function: Callable[[], object]) -> None:
        async def run() -> None:
            function()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def freeze(self) -> None:
        """A black hole: connections stay, new ones are accepted, and no byte passes."""
        self._call(self._flowing.clear)

    def thaw(self) -> None:
        """Lets everything flow again, what was held back first."""
        self._call(self._flowing.set)

    def cut(self) -> None:
        """Resets every connection (RST) to both sides; new ones are forwarded as ever."""
        self._call(lambda: [link.abort() for link in self._links])

    def lose_commits(self, what: str | None, every: int = 1) -> None:
        """Cuts a connection at a commit.

        Args:
            what: `reply`: the server commits and nobody hears of it; `request`: the server never
                hears of it; None: nothing is lost any more.
            every: of so many commits one is hit.
        """
        self.lose, self.every = what, every

    def calm(self) -> None:
        """Forwards everything at once again."""
        self.lose_commits(None)
        self.delay = 0.0
        self.thaw()

    def hits(self) -> bool:
        """Counts a commit, and tells whether it is one to lose."""
        return self.lose is not None and next(self._commits) % self.every == 0

    async def flow(self) -> None:
        """Waits while frozen, and for the delay."""
        if self.delay:
            await asyncio.sleep(self.delay)
        await self._flowing.wait()

    async def _accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        link = _Link(self, client, to_client)
        self._links.add(link)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await link.run()
        finally:
            link.abort()
            self._links.discard(link)


class _Link:
    def __init__(
        self, proxy: NetworkProxy, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.proxy, self.client, self.to_client = proxy, client, to_client
        self.to_server: asyncio.StreamWriter | None = None
        self.losing_reply = False

    def abort(self) -> None:
        for writer in (self.to_client, self.to_server):
            if writer is not None:
                _reset(writer)

    async def run(self) -> None:
        await self.proxy.flow()
        server, self.to_server = await asyncio.open_connection("127.0.0.1", self.proxy.target)
        halves = {
            asyncio.create_task(self._upstream(self.to_server)),
            asyncio.create_task(self._downstream(server)),
        }
        try:
            await asyncio.wait(halves, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for half in halves:
                half.cancel()
            await asyncio.gather(*halves, return_exceptions=True)

    async def _upstream(self, to_server: asyncio.StreamWriter) -> None:
        while data := await self.client.read(_CHUNK):
            await self.proxy.flow()
            if self.proxy.lose and self.proxy.commit.search(data) and self.proxy.hits():
                self.proxy.lost += 1
                if self.proxy.lose == "request":
                    return
                self.losing_reply = True
            to_server.write(data)
            await to_server.drain()

    async def _downstream(self, server: asyncio.StreamReader) -> None:
        while data := await server.read(_CHUNK):
            await self.proxy.flow()
            if self.losing_reply:
                return  # the server has answered, so it has committed or refused
            self.to_client.write(data)
            await self.to_client.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    found = writer.get_extra_info("socket")
    if found is not None and found.fileno() >= 0:
        with suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
