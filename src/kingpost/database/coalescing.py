"""Lookups by key that go out together: one statement answers everybody who asked in time."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Any

from kingpost.problems import Invalid

Send = Callable[[list[Any]], Awaitable[Sequence[Any]]]

IN_FLIGHT = 2
LARGEST = 500
_GIVEN_UP: set[asyncio.Task[None]] = set()


class Lookups:
    """Collects the keys that are asked for and sends them in batches.

    A batch is sent at the end of the tick of the loop in which its first key came or, if enough
    batches are on their way, when one of them returns. Nobody joins a batch that was sent, so
    nobody is told what was true before the question.

    Args:
        send: asks for the rows of some keys; the last column of each is the key.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._pending: deque[_Batch] = deque()
        self._senders: set[asyncio.Task[None]] = set()

    async def find(self, key: Any) -> Any | None:
        """The row of a key.

        Args:
            key: hashable, and equal to what the database gives back.

        Returns:
            None if there is no such row.

        Raises:
            Problem: for every failure of the database that is not a bug.
        """
        pending = self._pending
        if pending and len(pending[-1].waiters) < LARGEST:
            batch = pending[-1]
        else:
            batch = _Batch()
            pending.append(batch)
            self._start_sender()
        waiter = batch.add(key)
        try:
            return await waiter
        except asyncio.CancelledError:
            self._give_up(batch)
            raise

    def _start_sender(self) -> None:
        if len(self._senders) < IN_FLIGHT:
            # in a context of its own: what it does belongs to no single request
            task = asyncio.get_running_loop().create_task(self._send_batches(), context=Context())
            self._senders.add(task)

    async def _send_batches(self) -> None:
        sender = asyncio.current_task()
        assert sender is not None  # noqa: S101 - a coroutine runs in a task
        try:
            while self._pending:
                batch = self._pending.popleft()
                if batch.asking:
                    await self._send_batch(batch, sender)
        finally:
            self._senders.discard(sender)  # now, not in a callback: the next key looks here

    async def _send_batch(self, batch: "_Batch", sender: asyncio.Task[None]) -> None:
        batch.sender = sender
        try:
            await self._answer(batch, list(batch.waiters))
        except BaseException:
            batch.cancel()
            raise
        finally:
            batch.sender = None

    async def _answer(self, batch: "_Batch", keys: list[Any]) -> None:
        try:
            rows = {row[-1]: row for row in await self._send(keys)}
        except Invalid as error:
            # One key that the database does not take must not fail the others.
            if len(keys) == 1:
                batch.fail(keys, error)
                return
            middle = len(keys) // 2
            await self._answer(batch, keys[:middle])
            await self._answer(batch, keys[middle:])
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is awaited
            batch.fail(keys, error)
        else:
            batch.answer(keys, rows)

    def _give_up(self, batch: "_Batch") -> None:
        """Nobody may want the answer any more, and a silent server may never give it."""
        batch.asking -= 1
        if batch.asking == 0 and batch.sender is not None:
            batch.sender.cancel()
            # a driver may need seconds to give up, and nobody else shall wait for it
            self._senders.discard(batch.sender)
            _GIVEN_UP.add(batch.sender)
            batch.sender.add_done_callback(_GIVEN_UP.discard)
            if self._pending:
                self._start_sender()


class _Batch:
    """Keys of one statement, and who waits for each."""

    __slots__ = ("asking", "sender", "waiters")

    def __init__(self) -> None:
        self.waiters: dict[Any, list[asyncio.Future[Any]]] = {}
        self.asking = 0
        self.sender: asyncio.Task[None] | None = None

    def add(self, key: Any) -> asyncio.Future[Any]:
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.asking += 1
        known = self.waiters.get(key)
        if known is None:
            self.waiters[key] = [waiter]
        else:
            known.append(waiter)
        return waiter

    def answer(self, keys: Sequence[Any], rows: dict[Any, Any]) -> None:
        for key in keys:
            row = rows.get(key)
            for waiter in self.waiters[key]:
                if not waiter.done():
                    waiter.set_result(row)

    def fail(self, keys: Sequence[Any], error: Exception) -> None:
        for key in keys:
            for waiter in self.waiters[key]:
                if not waiter.done():
                    waiter.set_exception(error)
                    waiter.exception()  # seen, should its request be given up before it looks

    def cancel(self) -> None:
        """Leaves nobody behind when the sender was cancelled from outside."""
        for waiters in self.waiters.values():
            for waiter in waiters:
                waiter.cancel()
