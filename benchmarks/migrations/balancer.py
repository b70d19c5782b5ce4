"""What stands before the instances: sends each request to one of them, and retries nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from kingpost.testing.process import ServerProcess

_ANSWER_SECONDS = 60.0  # the service gives up a request long before

NO_ANSWER = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a request.

    Attributes:
        status: of HTTP; 0 if there was no answer.
        body: as it came, or why there was none.
    """

    status: int
    body: bytes


class Connection:
    """A connection kept alive, for one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.reusable = True

    @property
    def usable(self) -> bool:
        """Whether another request may be sent on it."""
        return self.reusable and not self._reader.at_eof()

    async def ask(self, request: bytes) -> Answer:
        """Sends a request and reads its answer."""
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        body = await self._reader.readexactly(int(length or 0))
        self.reusable = b"\r\nconnection: close" not in head
        return Answer(int(head[9:12]), body)

    def close(self) -> None:
        """Ends it."""
        self.reusable = False
        self._writer.close()


@dataclass(eq=False)
class Instance:
    """A running version of the service.

    Attributes:
        process: its process.
    """

    process: ServerProcess
    _idle: list[Connection] = field(default_factory=list)
    _busy: int = 0

    async def ask(self, request: bytes) -> Answer:
        """Sends a request on a connection that is free, or else on a new one.

        Returns:
            The answer, also for what failed.
        """
        connection = answer = None
        self._busy += 1
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                connection = self._free() or await self._connect()
                answer = await connection.ask(request)
        except (OSError, EOFError, asyncio.LimitOverrunError, ValueError, TimeoutError) as error:
            return Answer(NO_ANSWER, f"{type(error).__name__}: {error}".encode())
        finally:
            self._busy -= 1
            if connection is not None:
                self._put_back(connection, reusable=answer is not None)
        return answer

    def _put_back(self, connection: Connection, *, reusable: bool) -> None:
        if reusable and connection.usable:
            self._idle.append(connection)
        else:
            connection.close()

    def _free(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.close()
        return None

    async def _connect(self) -> Connection:
        return Connection(*await asyncio.open_connection("127.0.0.1", self.process.port))

    async def leave(self) -> None:
        """Waits for the answers of all requests that were sent to it, and ends the connections."""
        while self._busy:  # noqa: ASYNC110 - a few times in a performance
            await asyncio.sleep(0.01)
        while self._idle:
            self._idle.pop().close()
        await asyncio.sleep(0)  # they are closed in the next turn of the loop


class Balancer:
    """Sends requests in turn to the instances that it knows."""

    def __init__(self) -> None:
        self._instances: list[Instance] = []
        self._turn = count()

    async def ask(self, request: bytes) -> Answer:
        """Sends a request to the instance whose turn it is."""
        known = self._instances
        return await known[next(self._turn) % len(known)].ask(request)

    @asynccontextmanager
    async def knowing(self, process: ServerProcess) -> AsyncIterator[None]:
        """Sends requests to an instance that is ready, as long as the block runs."""
        instance = Instance(process)
        self._instances.append(instance)
        try:
            yield
        finally:
            self._instances.remove(instance)
            await instance.leave()
