"""The queue of the connection pool: whoever has waited longest is served next."""

import asyncio
from collections import deque
from typing import TypeVar

from sqlalchemy.util.concurrency import await_only
from sqlalchemy.util.queue import AsyncAdaptedQueue, Empty

T = TypeVar("T")


class FairQueue(AsyncAdaptedQueue[T]):
    """Hands a connection that comes back to the first task in line.

    `asyncio.Queue` only wakes that task: another one that comes along meanwhile takes the
    connection, and the first goes to the end of the line. Under load some tasks then wait until
    their timeout, while others are served at once.

    Args:
        maxsize: of the pool.
        use_lifo: take the connection that came back last.
    """

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:
        super().__init__(maxsize, use_lifo)
        self._waiters: deque[asyncio.Future[T]] = deque()

    def put_nowait(self, item: T) -> None:
        """Gives an item to the first in line; without a line it is kept."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(item)
                return
        super().put_nowait(item)

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Takes an item, or stands in line for one.

        Args:
            block: wait if there is none.
            timeout: for so many seconds.

        Returns:
            The item.

        Raises:
            Empty: there is none, or there was none in time.
        """
        if not block or not self.empty():
            return self.get_nowait()
        return await_only(self._next(timeout))

    async def _next(self, seconds: float | None) -> T:
        waiter: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                return await waiter
        except BaseException as error:
            self._leave(waiter)
            if isinstance(error, TimeoutError):
                raise Empty from None
            raise

    def _leave(self, waiter: asyncio.Future[T]) -> None:
        """Leaves the line; what was handed over in the last moment goes to the next."""
        if waiter.done() and not waiter.cancelled():
            self.put_nowait(waiter.result())
        elif waiter in self._waiters:
            self._waiters.remove(waiter)
