"""One connection beside the pools, on which the checks of readiness ask the database."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import event

from kingpost.database import drivers
from kingpost.database.engine import make_engine
from kingpost.database.options import DatabaseOptions
from kingpost.problems import Unavailable

T = TypeVar("T")

ANSWER_SECONDS = 1.0


class Probes:
    """Asks whether the database works; in a pool one would learn only that it is full.

    A connection that does not answer in time is torn down, so that the next question does not
    wait for what the network has swallowed. There is one at most, however often one asks: who
    waits for somebody whose question gets no answer gets none either.

    Args:
        options: where the database is, and how long to wait for a connection.

    Attributes:
        engine: has that one connection; ask on it through `ask`.
    """

    def __init__(self, options: DatabaseOptions) -> None:
        self.engine = make_engine(replace(options, pool_size=1))
        self._connect_seconds = options.connect_timeout
        self._turn = asyncio.Lock()
        self._silences = 0
        self._connection: Any = None
        event.listen(self.engine.sync_engine, "checkout", self._remember)

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """Asks something, one at a time.

        Args:
            question: uses `engine`. It has a second to be answered, or the connect timeout if
                that is shorter; if there is no connection, the connect timeout in addition.

        Returns:
            What it returned.

        Raises:
            Unavailable: the database does not answer, or cannot be reached.
            Exception: of the question.
        """
        silences = self._silences
        async with self._turn:
            if self._silences != silences:
                raise _unavailable()
            try:
                return await self._answer(question)
            except Unavailable:
                self._silences += 1
                raise

    async def close(self) -> None:
        """Closes the connection, if there is one."""
        await self.engine.dispose()

    async def _answer(self, question: Callable[[], Awaitable[T]]) -> T:
        task = asyncio.create_task(_asked(question))
        try:
            done, _ = await asyncio.wait({task}, timeout=self._seconds())
        finally:
            if not task.done():
                await self._give_up(task)
        if not done:
            raise _unavailable()
        return task.result()

    def _seconds(self) -> float:
        pool: Any = self.engine.pool  # has a public count that its base class lacks
        answer = min(ANSWER_SECONDS, self._connect_seconds)
        return answer if pool.checkedin() else self._connect_seconds + answer

    async def _give_up(self, task: asyncio.Task[Any]) -> None:
        """Ends a question at once; polite drivers would take seconds."""
        if self._connection is not None:
            drivers.tear_down(self._connection)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def _remember(self, dbapi_connection: Any, _record: Any, _proxy: Any) -> None:
        self._connection = dbapi_connection.driver_connection


async def _asked(question: Callable[[], Awaitable[T]]) -> T:
    return await question()


def _unavailable() -> Unavailable:
    return Unavailable("the database does not answer")
