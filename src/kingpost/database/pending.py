"""A transaction whose use case has returned: what is left is its COMMIT, or its end without one."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import SessionTransaction

from kingpost.context import current_request
from kingpost.database.ending import is_rolled_back, refuse_if_abandoned
from kingpost.database.engine import is_dead
from kingpost.database.failures import ConnectionLost
from kingpost.database.guards import WriteSession
from kingpost.problems import OutcomeUnknown

if TYPE_CHECKING:
    from kingpost.database.database import Database
    from kingpost.database.unit_of_work import Transaction

_LOG = logging.getLogger("kingpost.database")


class Pending:
    """Everything of a use case is flushed and audited, and nothing is committed.

    Args:
        database: where.
        session: of the transaction; closed for good when it ends.
        transaction: what is committed.
        tx: has the hooks.
    """

    __slots__ = ("_database", "_session", "_transaction", "_tx")

    def __init__(
        self,
        database: "Database",
        session: AsyncSession,
        transaction: SessionTransaction,
        tx: "Transaction",
    ) -> None:
        self._database = database
        self._session = session
        self._transaction = transaction
        self._tx = tx

    async def execute(self, statement: Any, values: dict[str, Any]) -> Any:
        """Runs one more statement in the transaction.

        Args:
            statement: of SQLAlchemy.
            values: of its parameters.

        Returns:
            Its result.
        """
        return await self._session.execute(statement, values)

    async def commit(self) -> None:
        """Commits, and runs the hooks afterwards; to be awaited by `to_its_end`.

        Raises:
            OutcomeUnknown: COMMIT was sent and its answer never came.
            DeadlineExceeded: the deadline of the request has passed; nothing is committed.
        """
        try:
            await self._commit()
        except BaseException:
            await close(self._session)
            raise
        _close_without_connection(self._session)
        await self._tx.run_hooks()

    async def roll_back(self) -> None:
        """Ends the transaction without a COMMIT; to be awaited by `to_its_end`."""
        await close(self._session)

    async def _commit(self) -> None:
        connection = write_session(self._session).connection_in_use
        if connection is None:
            return
        if is_dead(connection):
            await self._session.invalidate()
            raise ConnectionLost
        refuse_if_abandoned()  # again: a deadline may have passed before this task began
        request = current_request.get()
        if request is not None:
            request.committing = True
        await self._send_commit()
        if request is not None:
            request.committing, request.committed = False, True

    async def _send_commit(self) -> None:
        try:
            # PostgreSQL limits COMMIT itself; a second more, and the server is silent.
            async with asyncio.timeout(self._database.options.statement_timeout + 1):
                await self._session.run_sync(lambda _: self._transaction.commit())
        except Exception as error:
            if is_rolled_back(error):
                if (request := current_request.get()) is not None:
                    request.committing = False
                raise
            self._database.observer.outcome_unknown()
            _LOG.error("COMMIT was sent and not answered: %s", type(error).__name__)
            raise OutcomeUnknown("the connection was lost while committing") from error


def write_session(session: AsyncSession) -> WriteSession:
    """The session below the one that use cases have."""
    sync = session.sync_session
    assert isinstance(sync, WriteSession)  # noqa: S101 - made so by Database
    return sync


async def close(session: AsyncSession) -> None:
    """Rolls back what is not committed, and gives the connection back."""
    write_session(session).ending = True
    await session.close()


def _close_without_connection(session: AsyncSession) -> None:
    """After the COMMIT there is nothing that would have to be awaited."""
    write_session(session).ending = True
    write_session(session).close()
