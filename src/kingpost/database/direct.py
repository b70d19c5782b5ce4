"""Connections of the driver itself, for statements that are a transaction by themselves."""

import asyncio
from collections import deque
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from kingpost.database import drivers
from kingpost.database.drivers import DirectConnection
from kingpost.database.failures import StalePlan, StatementLost
from kingpost.database.observer import Reporter
from kingpost.database.options import DatabaseOptions, PoolStatus
from kingpost.database.statements import Statement
from kingpost.problems import Busy, Invalid

_READ_ONLY_SERVER = "25006"
_Waiter = asyncio.Future[DirectConnection | None]


class DirectPool:
    """A fair pool of connections on which each statement is one round trip and one transaction.

    It connects when first used. The connection used last is taken first; whoever has waited
    longest is served first, those before all others that have stood in another line already.

    Args:
        options: where the database is, how many connections, how long to wait for one.
        reporter: is told of each statement.
    """

    def __init__(self, options: DatabaseOptions, reporter: Reporter) -> None:
        self.driver = drivers.driver_name(options.url)
        self._options = options
        self._reporter = reporter
        self._idle: list[DirectConnection] = []
        self._good: set[DirectConnection] = set()  # what may come back into the pool
        self._open = 0  # those being opened and closed included
        self._waiters: deque[_Waiter] = deque()
        self._first: deque[_Waiter] = deque()
        self._closing: set[asyncio.Task[None]] = set()

    async def execute(self, statement: Statement, arguments: Sequence[Any]) -> Sequence[Any]:
        """Sends a statement and gives the connection back.

        Args:
            statement: compiled for the driver of this pool.
            arguments: from `Statement.arguments`.

        Returns:
            The rows, each indexable like a tuple.

        Raises:
            StatementLost: the connection broke; a write may or may not have been done.
            StalePlan: the schema was changed and nothing was done; another run will succeed.
            Busy: no connection became free in time.
            Unavailable: no connection could be opened.
            Exception: of the driver, for any other failure; `translated` knows them.
        """
        connection = self._take() or await self._acquire(self._waiters)
        return await self.send(connection, statement, arguments)

    async def acquire(self, *, is_first: bool = False) -> DirectConnection:
        """Takes a connection that was alive a moment ago, for `send` or `give_back`.

        Args:
            is_first: before those who are not; for few at a time. An insert has waited for its
                turn, and would wait again behind all the lists that need none.

        Returns:
            A connection that nobody else uses.

        Raises:
            Busy: none became free in time.
            Unavailable: none could be opened.
        """
        return self._take() or await self._acquire(self._first if is_first else self._waiters)

    async def send(
        self, connection: DirectConnection, statement: Statement, arguments: Sequence[Any]
    ) -> Sequence[Any]:
        """Sends a statement on a connection of `acquire` and gives that back.

        Args:
            connection: not to be used afterwards.
            statement: see `execute`.
            arguments: see `execute`.

        Returns:
            The rows, each indexable like a tuple.

        Raises:
            Exception: see `execute`, less what `acquire` raises.
        """
        started = perf_counter()
        try:
            self._reporter.sending(statement.sql)
            rows = await connection.fetch(statement.sql, *arguments)
        except Exception as error:
            seconds = perf_counter() - started
            try:
                self._failed(connection, error)
            finally:  # an observer may raise too, and the connection is settled by then
                state = drivers.sqlstate(error) or "unknown"
                self._reporter.answered(state, seconds, statement.sql)
            raise
        except BaseException:
            self._retire(connection)  # cancelled: its answer may still come
            self._reporter.given_up(perf_counter() - started)
            raise
        seconds = perf_counter() - started
        self.give_back(connection)
        self._reporter.answered(None, seconds, statement.sql)
        return rows

    def give_back(self, connection: DirectConnection) -> None:
        """Hands a connection to the first in line, or puts it back into the pool.

        Args:
            connection: of `acquire`, unused or with its answer complete, and not to be used
                afterwards; it is closed if the pool was closed or renewed in the meantime.
        """
        if connection not in self._good:
            self._retire(connection)
        elif (waiter := self._next_in_line()) is not None:
            waiter.set_result(connection)
        else:
            self._idle.append(connection)

    def status(self) -> PoolStatus:
        """The connections right now; those being opened or closed count as in use."""
        return PoolStatus(
            size=self._options.direct_pool_size,
            in_use=self._open - len(self._idle),
            waiting=len(self._waiters) + len(self._first),
        )

    async def close(self) -> None:
        """Closes the idle connections; those in use are closed when they come back."""
        self._close_idle()
        while self._closing:
            await asyncio.wait(self._closing)

    def _take(self) -> DirectConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_dead():
                return connection
            self._drop(connection)
        return None

    async def _acquire(self, line: deque[_Waiter]) -> DirectConnection:
        if self._open < self._options.direct_pool_size:
            self._open += 1
            return await self._connect()
        loop = asyncio.get_running_loop()
        waiter: _Waiter = loop.create_future()
        line.append(waiter)
        # a third of the cost of asyncio.timeout, and under load every read comes along here
        limit = loop.call_later(self._options.acquire_timeout, _give_up, waiter)
        try:
            connection = await waiter
        except BaseException:
            self._leave(line, waiter)
            raise
        finally:
            limit.cancel()
        return connection or await self._connect()

    async def _connect(self) -> DirectConnection:
        """Opens a connection in a place that is already counted."""
        try:
            connection = await drivers.connect_direct(self._options)
        except BaseException:
            self._free_place()
            raise
        self._good.add(connection)
        return connection

    def _free_place(self) -> None:
        """A connection is gone; the first in line may open another one."""
        if (waiter := self._next_in_line()) is not None:
            waiter.set_result(None)
        else:
            self._open -= 1

    def _next_in_line(self) -> _Waiter | None:
        while self._first or self._waiters:
            waiter = (self._first or self._waiters).popleft()
            if not waiter.done():
                return waiter
        return None

    def _leave(self, line: deque[_Waiter], waiter: _Waiter) -> None:
        """Leaves the line; what was handed over in the last moment goes to the next."""
        if not waiter.done() or waiter.cancelled() or waiter.exception() is not None:
            if waiter in line:
                line.remove(waiter)
        elif (connection := waiter.result()) is not None:
            self.give_back(connection)
        else:
            self._free_place()

    def _failed(self, connection: DirectConnection, error: Exception) -> None:
        """Decides what becomes of a connection, and says what the driver cannot know."""
        state = drivers.sqlstate(error)
        if drivers.is_stale_plan(error):
            self._renew(connection)
            raise StalePlan from error
        if connection.is_dead() or (state or "")[:2] == "08" or (state or "")[:3] == "57P":
            self._drop(connection)
            raise StatementLost from error
        if state is None:
            self._retire(connection)
        elif state == _READ_ONLY_SERVER:
            self._renew(connection)  # a failover: the new primary is elsewhere
        else:
            self.give_back(connection)
        if isinstance(error, UnicodeEncodeError):  # psycopg, for a lone surrogate
            raise Invalid("a text has characters that cannot be stored") from error

    def _drop(self, connection: DirectConnection) -> None:
        self._good.discard(connection)
        connection.abort()
        self._free_place()

    def _renew(self, connection: DirectConnection) -> None:
        """Closes a connection and those that have the same fault, unless that was done already."""
        if connection in self._good:
            self._close_idle()
        self._retire(connection)

    def _close_idle(self) -> None:
        self._good.clear()
        while self._idle:
            self._retire(self._idle.pop())

    def _retire(self, connection: DirectConnection) -> None:
        """Closes a connection beside what goes on; its place is free once it is closed."""
        self._good.discard(connection)
        task = asyncio.get_running_loop().create_task(self._close(connection))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _close(self, connection: DirectConnection) -> None:
        try:
            await connection.close()
        finally:
            self._free_place()


def _give_up(waiter: _Waiter) -> None:
    if not waiter.done():
        waiter.set_exception(Busy("all database connections are in use"))
