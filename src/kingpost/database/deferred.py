"""A COMMIT that waits for the answer: both are stored together, or neither of them is."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncSession

from kingpost.database.ending import to_its_end
from kingpost.database.guards import SessionMisuse

if TYPE_CHECKING:
    from kingpost.database.database import Database
    from kingpost.database.pending import Pending

Claim = Callable[[AsyncSession], Awaitable[None]]

_WAITING, _RUNNING, _PENDING, _ENDED = "waiting", "running", "pending", "ended"


class Deferred:
    """The one use case of a request whose COMMIT somebody else sends.

    While it is in force, `UnitOfWork.run` leaves the transaction open when its use case returns.
    It does not run a use case again either: what was seen of the first run may be in the answer
    already, so the whole request has to be run again.

    Args:
        database: whose units of work are meant.
        claim: the first thing in the transaction; what it raises ends that.
    """

    def __init__(self, database: "Database", claim: Claim) -> None:
        self.database = database
        self.claim = claim
        self._state = _WAITING
        self._pending: Pending | None = None

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """For the block in which the request is answered."""
        token = deferred_commit.set(self)
        try:
            yield
        finally:
            deferred_commit.reset(token)

    def is_for(self, database: "Database") -> bool:
        """Whether use cases on a database leave their COMMIT to it; not those of hooks."""
        return self.database is database and self._state != _ENDED

    def start(self) -> None:
        """A use case begins.

        Raises:
            SessionMisuse: it is not the first one.
        """
        if self._state != _WAITING:
            raise SessionMisuse(
                "a request with an Idempotency-Key is one transaction: make one use case of what "
                "it does, as a second one could be committed without the first"
            )
        self._state = _RUNNING

    def failed(self) -> None:
        """The use case is rolled back, so that another one would be the first."""
        self._state = _WAITING

    def leave(self, pending: "Pending") -> None:
        """The use case has returned.

        Args:
            pending: what is to be committed.
        """
        self._state, self._pending = _PENDING, pending

    def refuse_blind_read(self) -> None:
        """Refuses a read beside the open transaction.

        Raises:
            SessionMisuse: it would not see what the use case has changed.
        """
        if self._state == _PENDING:
            raise SessionMisuse(
                "a request with an Idempotency-Key is committed with its answer, so this read "
                "would not see what it changed: let the use case return what is answered"
            )

    @property
    def has_changes(self) -> bool:
        """Whether there is a transaction to end."""
        return self._pending is not None

    async def execute(self, statement: Any, values: dict[str, Any]) -> Any:
        """Runs a statement in the open transaction.

        Args:
            statement: of SQLAlchemy.
            values: of its parameters.

        Returns:
            Its result.
        """
        assert self._pending is not None  # noqa: S101 - asked for only if it has changes
        return await self._pending.execute(statement, values)

    async def complete(self) -> None:
        """Commits; see `Pending.commit`."""
        if (pending := self._end()) is not None:
            await to_its_end(pending.commit())

    async def give_up(self) -> None:
        """Ends the transaction without a COMMIT, if there still is one."""
        if (pending := self._end()) is not None:
            await to_its_end(pending.roll_back())

    def _end(self) -> "Pending | None":
        pending, self._pending, self._state = self._pending, None, _ENDED
        return pending


deferred_commit: ContextVar[Deferred | None] = ContextVar("kingpost_deferred_commit", default=None)
