"""One transaction per use case: begun, flushed, audited, committed, and only then answered."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

from kingpost.context import current_request
from kingpost.database import drivers
from kingpost.database.audit import Trail
from kingpost.database.audit_guard import delete_where
from kingpost.database.engine import is_dead
from kingpost.database.failures import RERUN, ConnectionLost, rerun_reason, translated
from kingpost.database.guards import SessionMisuse, WriteSession, swallowed_failure
from kingpost.database.nesting import alone
from kingpost.database.retry import rerun
from kingpost.problems import DeadlineExceeded, OutcomeUnknown

if TYPE_CHECKING:
    from kingpost.database.database import Database

T = TypeVar("T")
Hook = Callable[[], Awaitable[None] | None]

_LOG = logging.getLogger("kingpost.database")


class Transaction:
    """What a use case works with: a session, and what else belongs to its transaction.

    Args:
        session: lives until the use case returns; closed for good afterwards.
        audit_trail: writes the audit rows of this transaction; None without audit.
    """

    def __init__(self, session: AsyncSession, audit_trail: Trail | None) -> None:
        self.session = session
        self._audit_trail = audit_trail
        self._hooks: list[Hook] = []

    def after_commit(self, hook: Hook) -> None:
        """Has something done once the transaction is committed, and not at all if it is not.

        It runs once however often the use case was run. If it fails that is logged and changes
        nothing: the answer is the one of the use case.

        Args:
            hook: a function or coroutine function without arguments.
        """
        self._hooks.append(hook)

    async def delete_where(self, model: type[Any], *conditions: ColumnElement[bool]) -> int:
        """Deletes rows and leaves an audit row for each, in one statement.

        Objects of these rows that the session has loaded stay in it.

        Args:
            model: the mapped class.
            *conditions: which rows; at least one.

        Returns:
            How many there were.
        """
        await self.session.flush()
        return await delete_where(self.session, self._audit_trail, model, conditions)

    async def run_hooks(self) -> None:
        """Runs the hooks; for the unit of work, after the commit."""
        for hook in self._hooks:
            try:
                result = hook()
                if isawaitable(result):
                    await result
            except Exception:  # noqa: BLE001 - the change is committed, nothing may deny it now
                _LOG.exception("a hook failed after the commit")


class UnitOfWork:
    """Runs use cases, each in a transaction of its own.

    Args:
        database: where.
        actor: who is written into the audit rows; by default the actor of the request.
        request_id: likewise; by default the id of the request.
    """

    def __init__(
        self, database: "Database", *, actor: str | None = None, request_id: str | None = None
    ) -> None:
        self.database = database
        self._actor = actor
        self._request_id = request_id

    async def run(
        self, use: Callable[[Transaction], Awaitable[T]], *, isolation: str | None = None
    ) -> T:
        """Runs a use case in a transaction and commits it.

        On a serialization failure, a deadlock, a stale plan or a connection lost before COMMIT
        was sent, the whole use case is rolled back and run again.

        Args:
            use: may run several times, so whatever it does outside the transaction belongs
                into `Transaction.after_commit`.
            isolation: `READ COMMITTED` (default), `REPEATABLE READ` or `SERIALIZABLE`
                (PostgreSQL, "Transaction Isolation").

        Returns:
            What the use case returned, after the commit.

        Raises:
            OutcomeUnknown: COMMIT was sent and its answer never came.
            DeadlineExceeded: the deadline of the request passed before COMMIT.
            Problem: for every other failure of the database that is not a bug.
        """
        with translated(self.database.constraints):
            return await rerun(
                lambda: self._attempt(use, isolation),
                attempts=self.database.options.attempts,
                reason=rerun_reason,
                observer=self.database.observer,
            )

    async def read(self, use: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Runs a read without a transaction; see `Database.read`.

        Args:
            use: reads through the session, which ends with it and refuses every change.

        Returns:
            What it returned.

        Raises:
            Problem: for every failure of the database that is not a bug.
        """
        return await self.database.read(use)

    async def _attempt(
        self, use: Callable[[Transaction], Awaitable[T]], isolation: str | None
    ) -> T:
        _refuse_if_abandoned()
        session = self.database.write_session()
        try:
            transaction = await self._begin(session, isolation)
            trail = self.database.audit_trail(session, self._actor, self._request_id)
            _sync(session).trail = trail
            tx = Transaction(session, trail)
            with alone():
                result = await use(tx)
            await _complete(session, transaction, trail)
        except BaseException:
            await _to_its_end(_close(session))
            raise
        await _to_its_end(self._finish(session, transaction, tx))
        return result

    async def _begin(self, session: AsyncSession, isolation: str | None) -> AsyncSessionTransaction:
        transaction = await session.begin()
        if isolation is not None:
            await session.connection(execution_options={"isolation_level": isolation})
        return transaction

    async def _finish(
        self, session: AsyncSession, transaction: AsyncSessionTransaction, tx: Transaction
    ) -> None:
        try:
            await self._commit(session, transaction)
        finally:
            await _close(session)
        await tx.run_hooks()

    async def _commit(self, session: AsyncSession, transaction: AsyncSessionTransaction) -> None:
        connection = _sync(session).connection_in_use
        if connection is None:
            return
        if is_dead(connection):
            await session.invalidate()
            raise ConnectionLost
        request = current_request.get()
        if request is not None:
            request.committing = True
        await self._send_commit(transaction)
        if request is not None:
            request.committing, request.committed = False, True

    async def _send_commit(self, transaction: AsyncSessionTransaction) -> None:
        try:
            # PostgreSQL limits COMMIT itself; a second more, and the server is silent.
            async with asyncio.timeout(self.database.options.statement_timeout + 1):
                await transaction.commit()
        except Exception as error:
            if _is_answer(error):
                if (request := current_request.get()) is not None:
                    request.committing = False
                raise
            self.database.observer.outcome_unknown()
            _LOG.error("COMMIT was sent and not answered: %s", type(error).__name__)
            raise OutcomeUnknown("the connection was lost while committing") from error


async def _complete(
    session: AsyncSession, transaction: AsyncSessionTransaction, trail: Trail | None
) -> None:
    """Everything that belongs into the transaction before its COMMIT."""
    if not transaction.is_active:
        raise SessionMisuse("the use case ended the transaction of its UnitOfWork")
    connection = _sync(session).connection_in_use
    if connection is not None and (failure := swallowed_failure(connection)) is not None:
        _refuse_swallowed(failure)
    await session.flush()
    if trail is not None:
        await trail.write()
    _refuse_if_abandoned()


def _refuse_swallowed(failure: BaseException) -> None:
    if drivers.sqlstate(failure) in RERUN:
        raise failure
    raise SessionMisuse(
        "a statement failed and the use case went on, but PostgreSQL commits nothing of this "
        "transaction any more; put what may fail into session.begin_nested()"
    ) from failure


def _refuse_if_abandoned() -> None:
    request = current_request.get()
    if request is not None and request.abandoned:
        raise DeadlineExceeded("the deadline passed; nothing was changed")


def _is_answer(error: BaseException) -> bool:
    """Whether the server answered COMMIT with an error, which means that it rolled back."""
    state = drivers.sqlstate(error)
    if not isinstance(error, DBAPIError) or error.connection_invalidated or state is None:
        return False
    return state[:2] != "08" and state[:3] != "57P" and state != "40003"


def _sync(session: AsyncSession) -> WriteSession:
    sync = session.sync_session
    assert isinstance(sync, WriteSession)  # noqa: S101 - made so by Database
    return sync


async def _close(session: AsyncSession) -> None:
    _sync(session).ending = True
    await session.close()


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Awaits work that a cancellation of the caller must not tear apart.

    A cancelled COMMIT could be lost after it was written (PostgreSQL cancels the wait for a
    standby), and a cancelled close would leak its connection.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            _ENDING.add(task)
            task.add_done_callback(_ended)
        raise


_ENDING: set[asyncio.Task[None]] = set()


def _ended(task: asyncio.Task[None]) -> None:
    _ENDING.discard(task)
    with suppress(asyncio.CancelledError):
        if (error := task.exception()) is not None:
            _LOG.warning(
                "after its request was given up, the end of a transaction failed: %s",
                type(error).__name__,
            )
