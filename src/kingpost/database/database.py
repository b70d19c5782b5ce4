"""The database of a service: its engine, its sessions, its pool."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from sqlalchemy import MetaData, event, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from kingpost.database.audit import Trail
from kingpost.database.audit_guard import AuditGuard
from kingpost.database.constraints import ConstraintMap
from kingpost.database.direct import DirectPool
from kingpost.database.engine import make_engine, pool_status, set_locally
from kingpost.database.failures import lost_reason, translated
from kingpost.database.guards import (
    ReadSession,
    WriteSession,
    guard_reads,
    refuse_sync,
    remember_failures,
    watch_writes,
)
from kingpost.database.insert_plan import InsertPlans
from kingpost.database.nesting import refuse_nested
from kingpost.database.observer import DatabaseObserver, Reporter, observe
from kingpost.database.options import DatabaseOptions, PoolStatus
from kingpost.database.probes import Probes
from kingpost.database.reads import READ_ATTEMPTS, Reads
from kingpost.database.retry import rerun
from kingpost.database.unit_of_work import UnitOfWork

T = TypeVar("T")

_KEPT_FOR_READS = 2


class Database:
    """Everything a service needs of its database. Connects when first used, not before.

    Args:
        options: where it is, and how long to wait for it.
        metadata: the tables, from which violated constraints are traced to fields.
        audit: the model of the audit table; None leaves no audit rows.
        observer: is told about statements, re-runs and unknown outcomes.

    Attributes:
        engine: for migrations and tools; a service uses `unit_of_work`, `reads` and `read`.
        probes: one further connection, for the checks of readiness.
        direct: for statements without SQLAlchemy that are a transaction by themselves; None
            behind PgBouncer.
        reads: queries without the ORM, one round trip each.
        inserts: the statements of `UnitOfWork.insert`.
        insert_turns: one for each direct connection that inserts may have. They may wait for
            locks, which a read never does, so some connections are kept for reads.
    """

    def __init__(
        self,
        options: DatabaseOptions,
        *,
        metadata: MetaData,
        audit: type[Any] | None = None,
        observer: DatabaseObserver | None = None,
    ) -> None:
        self.options = options
        self.observer = observer or DatabaseObserver()
        self.constraints = ConstraintMap(metadata)
        self.engine = make_engine(options)
        self.probes = Probes(options)
        self._reporter = Reporter(self.observer, options.slow_statement)
        self.direct = None if options.pooler == "pgbouncer" else DirectPool(options, self._reporter)
        self.reads = Reads(self)
        self.inserts = InsertPlans(None if audit is None else audit.__table__)
        self.insert_turns = asyncio.Semaphore(max(1, options.direct_pool_size - _KEPT_FOR_READS))
        self._audit_model = audit
        self._prepare(self.engine)
        self._prepare(self.probes.engine)
        self._write_sessions = self._write_session_maker()
        self._read_sessions = self._read_session_maker(self.engine)
        self._probe_sessions = self._read_session_maker(self.probes.engine)

    def unit_of_work(
        self, *, actor: str | None = None, request_id: str | None = None
    ) -> UnitOfWork:
        """Where use cases run.

        Args:
            actor: who is written into the audit rows; by default the actor of the request.
            request_id: likewise; by default the id of the request.

        Returns:
            A unit of work; it is cheap and holds no connection.
        """
        return UnitOfWork(self, actor=actor, request_id=request_id)

    async def read(self, use: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Runs a read without a transaction: one round trip per statement.

        Each statement sees what is committed when it begins. If the connection was lost or a
        plan is stale, the read is run again, at most twice.

        Args:
            use: reads through the session, which ends with it and refuses every change.

        Returns:
            What it returned.

        Raises:
            Problem: for every failure of the database that is not a bug.
        """
        refuse_nested()
        return await self._read(use, self._read_sessions)

    async def ping(self) -> None:
        """Asks the database for an answer, beside the pools; see `Probes.ask` for how long.

        Raises:
            Unavailable: if there was none.
        """
        await self.probes.ask(lambda: self._read(_select_one, self._probe_sessions))

    async def close(self) -> None:
        """Closes the pools. Connections in use are closed when they come back."""
        if self.direct is not None:
            await self.direct.close()
        await self.engine.dispose()
        await self.probes.close()

    def pool_status(self) -> PoolStatus:
        """The connections for transactions and sessions right now."""
        return pool_status(self.engine)

    def direct_status(self) -> PoolStatus:
        """The direct connections right now; none behind PgBouncer."""
        return PoolStatus(0, 0, 0) if self.direct is None else self.direct.status()

    def write_session(self) -> AsyncSession:
        """A session for `UnitOfWork`, which alone may end it."""
        return self._write_sessions()

    def audit_trail(self, actor: str | None, request_id: str | None) -> Trail | None:
        """What records the changes of a transaction; None without an audit model."""
        if self._audit_model is None:
            return None
        return Trail(self._audit_model, actor=actor, request_id=request_id)

    async def _read(
        self,
        use: Callable[[AsyncSession], Awaitable[T]],
        sessions: async_sessionmaker[AsyncSession],
    ) -> T:
        with translated(self.constraints):
            return await rerun(
                lambda: self._read_once(use, sessions),
                attempts=READ_ATTEMPTS,
                reason=lost_reason,
                observer=self.observer,
            )

    async def _read_once(
        self,
        use: Callable[[AsyncSession], Awaitable[T]],
        sessions: async_sessionmaker[AsyncSession],
    ) -> T:
        async with sessions() as session:
            result = await use(session)
            sync = session.sync_session
            assert isinstance(sync, ReadSession)  # noqa: S101 - made so above
            sync.refuse_changes()
            return result

    def _prepare(self, engine: AsyncEngine) -> None:
        observe(engine.sync_engine, self._reporter)
        remember_failures(engine.sync_engine)
        if self.options.pooler == "pgbouncer":
            event.listen(engine.sync_engine, "begin", self._set_locally)

    def _set_locally(self, connection: Connection) -> None:
        set_locally(connection, self.options)

    def _reading(self, engine: AsyncEngine) -> AsyncEngine:
        """The same pool; behind PgBouncer a transaction keeps a read on one server connection."""
        if self.options.pooler == "pgbouncer":
            reads = engine.execution_options(postgresql_readonly=True)
        else:
            reads = engine.execution_options(isolation_level="AUTOCOMMIT")
        guard_reads(reads.sync_engine)
        return reads

    def _write_session_maker(self) -> async_sessionmaker[AsyncSession]:
        sessions = sessionmaker(class_=WriteSession)
        watch_writes(sessions)
        if self._audit_model is not None:
            event.listen(sessions, "do_orm_execute", AuditGuard(self._audit_model).check)
        return _session_maker(self.engine, sessions)

    def _read_session_maker(self, engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
        sessions = sessionmaker(class_=ReadSession)
        event.listen(sessions, "do_orm_execute", refuse_sync)
        return _session_maker(self._reading(engine), sessions)


def _session_maker(
    engine: AsyncEngine, sessions: sessionmaker[Any]
) -> async_sessionmaker[AsyncSession]:
    return async_sessionmaker(
        engine,
        # a sessionmaker in place of a class is how one listens to the sessions of one maker
        sync_session_class=cast(type[Session], sessions),
        expire_on_commit=False,
        close_resets_only=False,
    )


async def _select_one(session: AsyncSession) -> None:
    await session.execute(text("SELECT 1"))
