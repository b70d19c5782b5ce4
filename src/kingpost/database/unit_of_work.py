"""One transaction per use case: begun, flushed, audited, committed, and only then answered."""

import logging
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from kingpost.database import drivers
from kingpost.database.audit import Trail, who
from kingpost.database.audit_guard import delete_where
from kingpost.database.deferred import Claim, Deferred, deferred_commit
from kingpost.database.ending import refuse_if_abandoned, to_its_end
from kingpost.database.failures import RERUN, rerun_reason, translated
from kingpost.database.guards import SessionMisuse, swallowed_failure
from kingpost.database.insert import Transmission
from kingpost.database.insert_plan import Who
from kingpost.database.insert_sql import Shown
from kingpost.database.nesting import alone, refuse_inside
from kingpost.database.pending import Pending, close, write_session
from kingpost.database.reads import Reads
from kingpost.database.retry import rerun

if TYPE_CHECKING:
    from kingpost.database.database import Database

T = TypeVar("T")
D = TypeVar("D")
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

    @property
    def reads(self) -> Reads:
        """Queries without the ORM; see `Database.reads`."""
        return self.database.reads

    async def run(
        self, use: Callable[[Transaction], Awaitable[T]], *, isolation: str | None = None
    ) -> T:
        """Runs a use case in a transaction and commits it.

        For a request with an Idempotency-Key the COMMIT waits for the answer (`Deferred`).

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
        deferred = deferred_commit.get()
        if deferred is not None and deferred.is_for(self.database):
            return await self._deferred(deferred, use, isolation)
        with translated(self.database.constraints):
            return await rerun(
                lambda: self._attempt(use, isolation),
                attempts=self.database.options.attempts,
                reason=rerun_reason,
                observer=self.database.observer,
            )

    async def insert(self, entity: object, *, show: Shown[D]) -> D:
        """Inserts one new row with its audit row, and answers with what it looks like.

        One statement does all that in one round trip, and is a transaction by itself. It does for
        this row what `tx.session.add` would do. Refused are hooks on the model (`before_insert`),
        related objects (give the foreign key), values given as SQL, and models in an inheritance.
        The object stays as it is; hooks on sessions are not called.

        For a request with an Idempotency-Key the same statement is part of the transaction whose
        COMMIT waits for the answer (`Deferred`).

        The answer sees other tables as they were when the statement began.

        Args:
            entity: a new object of a mapped class.
            show: what is answered, such as a `kingpost.projection.Projection`.

        Returns:
            The answer, after the commit.

        Raises:
            OutcomeUnknown: the statement was sent and its answer never came.
            DeadlineExceeded: the deadline of the request passed before it was sent.
            Problem: for every other failure of the database that is not a bug.
            SessionMisuse: inside a transaction, or for what only a session can do.
        """
        refuse_inside()
        database = self.database
        insert, values = database.inserts.plan(entity, show, self._who)
        direct = database.direct
        deferred = deferred_commit.get()
        if direct is None or (deferred is not None and deferred.is_for(database)):
            rows = await self.run(lambda tx: insert.in_session(tx.session, values))
        else:
            statement = insert.compiled(direct.driver)
            arguments = statement.arguments(values)
            rows = await Transmission(database, direct, statement, arguments).run()
        if not rows:
            raise SessionMisuse(f"{type(entity).__name__} got no row: a trigger or rule dropped it")
        return show.wrap(*rows[0])

    def _who(self) -> Who:
        return who(self._actor, self._request_id)

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
        result, pending = await self._carried_out(use, isolation, None)
        await to_its_end(pending.commit())
        return result

    async def _deferred(
        self,
        deferred: Deferred,
        use: Callable[[Transaction], Awaitable[T]],
        isolation: str | None,
    ) -> T:
        """One run, whose COMMIT and whose further runs are left to whoever answers."""
        refuse_inside()
        deferred.start()
        try:
            result, pending = await self._carried_out(use, isolation, deferred.claim)
        except BaseException as error:
            deferred.failed()
            if rerun_reason(error) is not None:
                raise
            with translated(self.database.constraints):
                raise
        deferred.leave(pending)
        return result

    async def _carried_out(
        self,
        use: Callable[[Transaction], Awaitable[T]],
        isolation: str | None,
        claim: Claim | None,
    ) -> tuple[T, Pending]:
        refuse_if_abandoned()
        session = self.database.write_session()
        sync = write_session(session)
        transaction = sync.begin()  # sends nothing; BEGIN comes with a statement
        try:
            if isolation is not None:
                await session.connection(execution_options={"isolation_level": isolation})
            trail = self.database.audit_trail(self._actor, self._request_id)
            sync.trail = trail
            if claim is not None:
                await claim(session)
            tx = Transaction(session, trail)
            with alone():
                result = await use(tx)
            await _complete(session, transaction, trail)
        except BaseException:
            await to_its_end(close(session))
            raise
        return result, Pending(self.database, session, transaction, tx)


async def _complete(
    session: AsyncSession, transaction: SessionTransaction, trail: Trail | None
) -> None:
    """Everything that belongs into the transaction before its COMMIT."""
    if not transaction.is_active:
        raise SessionMisuse("the use case ended the transaction of its UnitOfWork")
    connection = write_session(session).connection_in_use
    if connection is not None and (failure := swallowed_failure(connection)) is not None:
        _refuse_swallowed(failure)
    await session.run_sync(_flush, trail)
    refuse_if_abandoned()


def _flush(session: Session, trail: Trail | None) -> None:
    """Flush and audit in one go: each change between async and sync code has its price."""
    session.flush()
    while trail is not None and trail.has_entries:
        trail.write(session.connection())
        session.flush()


def _refuse_swallowed(failure: BaseException) -> None:
    if drivers.sqlstate(failure) in RERUN:
        raise failure
    raise SessionMisuse(
        "a statement failed and the use case went on, but PostgreSQL commits nothing of this "
        "transaction any more; put what may fail into session.begin_nested()"
    ) from failure
