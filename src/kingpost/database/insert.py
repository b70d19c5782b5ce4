"""A new row in one round trip: a single statement is a transaction by itself."""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kingpost.context import current_request
from kingpost.database import drivers
from kingpost.database.direct import DirectPool
from kingpost.database.drivers import DirectConnection
from kingpost.database.ending import is_rolled_back, refuse_if_abandoned, to_its_end
from kingpost.database.failures import StalePlan, StatementLost, rerun_reason, translated
from kingpost.database.retry import rerun
from kingpost.database.statements import Statement
from kingpost.problems import Busy, OutcomeUnknown, Problem

if TYPE_CHECKING:
    from kingpost.database.database import Database

_LOG = logging.getLogger("kingpost.database")


class Transmission:
    """Sends one statement that changes something, on a connection without a transaction.

    Args:
        database: where.
        direct: its direct connections.
        statement: what is sent.
        arguments: its values; the same for each run, so that a run that was rolled back left
            nothing that the next one could meet.
    """

    __slots__ = ("arguments", "database", "direct", "statement")

    def __init__(
        self,
        database: "Database",
        direct: DirectPool,
        statement: Statement,
        arguments: Sequence[Any],
    ) -> None:
        self.database = database
        self.direct = direct
        self.statement = statement
        self.arguments = arguments

    async def run(self) -> Sequence[Any]:
        """Sends it, and again if it was rolled back for a reason that passes.

        Returns:
            The rows.

        Raises:
            OutcomeUnknown: it was sent and its answer never came.
            DeadlineExceeded: the deadline of the request passed before it was sent.
            Problem: for every other failure of the database that is not a bug.
        """
        try:
            return await self._attempt()
        except Exception as error:  # noqa: BLE001 - it is raised again or told as its problem
            return await self._run_again(error)

    async def _run_again(self, error: Exception) -> Sequence[Any]:
        failed = [error]

        async def attempt() -> Sequence[Any]:
            if failed:
                raise failed.pop()
            return await self._attempt()

        with translated(self.database.constraints):
            return await rerun(
                attempt,
                attempts=self.database.options.attempts,
                reason=rerun_reason,
                observer=self.database.observer,
            )

    async def _attempt(self) -> Sequence[Any]:
        refuse_if_abandoned()
        await self._wait_for_turn()
        try:
            connection = await self.direct.acquire(is_first=True)
        except BaseException:
            self.database.insert_turns.release()
            raise
        # from here to the first step of the task nothing is awaited, so no connection is lost
        return await to_its_end(self._take_turn(connection))

    async def _wait_for_turn(self) -> None:
        turns = self.database.insert_turns
        if not turns.locked():
            await turns.acquire()  # at once, so it needs no timer
            return
        try:
            async with asyncio.timeout(self.database.options.acquire_timeout):
                await turns.acquire()
        except TimeoutError:
            raise Busy("all database connections for inserts are in use") from None

    async def _take_turn(self, connection: DirectConnection) -> Sequence[Any]:
        try:
            return await self._send(connection)
        finally:
            self.database.insert_turns.release()

    async def _send(self, connection: DirectConnection) -> Sequence[Any]:
        request = current_request.get()
        try:
            refuse_if_abandoned()  # again: it may have waited for its connection
        except Problem:
            self.direct.give_back(connection)
            raise
        if request is not None:
            request.committing = True
        rows = await self._answer(connection)
        if request is not None:
            request.committing, request.committed = False, True
        return rows

    async def _answer(self, connection: DirectConnection) -> Sequence[Any]:
        try:
            # PostgreSQL limits the statement itself; a second more, and the server is silent.
            async with asyncio.timeout(self.database.options.statement_timeout + 1):
                return await self.direct.send(connection, self.statement, self.arguments)
        except Exception as error:
            if _is_nothing_changed(error):
                if (request := current_request.get()) is not None:
                    request.committing = False
                raise
            self.database.observer.outcome_unknown()
            _LOG.error("a statement was sent and not answered: %s", type(error).__name__)
            raise OutcomeUnknown("the connection was lost while committing") from error


def _is_nothing_changed(error: Exception) -> bool:
    if isinstance(error, StatementLost):
        return False
    # a Problem: the driver refused a value before it sent anything
    if isinstance(error, StalePlan | Problem) or drivers.is_unsent(error):
        return True
    return is_rolled_back(error)
