"""Answers a keyed request once, and the same request again with the same bytes."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from kingpost.database import Database, Query
from kingpost.database.deferred import Deferred
from kingpost.database.failures import rerun_reason, translated
from kingpost.database.purging import delete_rows
from kingpost.database.retry import rerun
from kingpost.idempotency import statements
from kingpost.idempotency.answers import StoredAnswer, read_answer
from kingpost.idempotency.problems import IdempotencyInFlight, IdempotencyKeyReused
from kingpost.idempotency.requests import KeyedRequest
from kingpost.problems import Problem

R = TypeVar("R")
Told = Callable[[str], None]

_UNIQUE = "23505"


class _Replayed(Exception):
    """The request was answered before; ends the transaction."""


class _Overtaken(Exception):
    """Somebody else was first, between the claim and the end."""


class Idempotency:
    """Remembers answers in the transaction of the change.

    Args:
        database: where the changes are made.
        model: a mapped class with `IdempotencyKeyMixin`.
        secret: 32 bytes for sealed answers.
        seconds: how long an answer is remembered.
        told: is told of each outcome: `new`, `replay`, `in_flight`, `mismatch`.
    """

    def __init__(
        self,
        database: Database,
        model: type[Any],
        *,
        secret: bytes,
        seconds: float,
        told: Told = lambda _: None,
    ) -> None:
        table = model.__table__
        self.database = database
        self.secret = secret
        self.told = told
        self.claim = statements.claim(table)
        self._lifetime = timedelta(seconds=seconds)
        self._lookup = Query(statements.look_up(table))
        self._store = statements.store(table)
        self._purge = statements.purge(table)
        self._expired = Query(statements.count_expired(table))

    async def answer(
        self,
        keyed: KeyedRequest,
        form: Callable[[], Awaitable[R]],
        stored: Callable[[R], StoredAnswer | None],
    ) -> R | StoredAnswer:
        """Answers a request, or gives the answer that it had before.

        Args:
            keyed: the request.
            form: forms the whole answer; may run several times.
            stored: what is remembered of it; None rolls back and remembers nothing.

        Returns:
            What `form` returned, after the COMMIT; or what was remembered.

        Raises:
            IdempotencyInFlight: the first request with this key is still running.
            IdempotencyKeyReused: the key stands for another request.
            Problem: whatever `form` raises, and failures of the database; nothing was changed
                and nothing is remembered.
        """
        with translated(self.database.constraints):
            try:
                return await rerun(
                    lambda: self._attempt(keyed, form, stored),
                    attempts=self.database.options.attempts,
                    reason=_reason,
                    observer=self.database.observer,
                )
            except _Overtaken:
                raise IdempotencyInFlight from None

    async def _attempt(
        self,
        keyed: KeyedRequest,
        form: Callable[[], Awaitable[R]],
        stored: Callable[[R], StoredAnswer | None],
    ) -> R | StoredAnswer:
        claim = _Claim(self, keyed)
        deferred = Deferred(self.database, claim.make)
        try:
            with deferred.in_force():
                formed = await form()
            if claim.outcome is None:
                return await self._finish(keyed, deferred, formed, stored(formed))
        except Exception as error:  # noqa: BLE001 - it is raised again, unless it was overtaken
            await deferred.give_up()
            if claim.outcome is None:
                return await self._failed(keyed, claim, error)
        finally:
            await deferred.give_up()
        # it may be that the endpoint has caught what the claim has raised
        return claim.answer()

    async def _finish(
        self, keyed: KeyedRequest, deferred: Deferred, formed: R, answer: StoredAnswer | None
    ) -> R:
        if not deferred.has_changes:
            return formed
        if answer is None:
            await deferred.give_up()
            return formed
        values = {
            "principal": keyed.principal,
            "key_hash": keyed.key_hash,
            "request": keyed.request,
            "fingerprint": keyed.fingerprint,
            "lifetime": self._lifetime,
            **answer.columns(keyed, self.secret),
        }
        if (await deferred.execute(self._store, values)).first() is None:
            raise _Overtaken
        await deferred.complete()
        self.told("new")
        return formed

    async def _failed(self, keyed: KeyedRequest, claim: "_Claim", error: Exception) -> StoredAnswer:
        """The first request may have been committed between our look and our lock.

        What failed then, such as a second insert of its row, failed because of it.
        """
        if claim.is_made and isinstance(error, Problem) and error.status < 500:
            values = {"principal": keyed.principal, "key_hash": keyed.key_hash}
            for row in await self.database.reads.fetch(self._lookup, values):
                return self.replay(keyed, row)
        raise error

    def replay(self, keyed: KeyedRequest, row: Any) -> StoredAnswer:
        """What a stored row answers to a request.

        Args:
            keyed: the request.
            row: fingerprint, whether it is sealed, status, headers, body.

        Returns:
            The answer.

        Raises:
            IdempotencyKeyReused: the row answers another request.
        """
        fingerprint, is_sealed, status, headers, body = row
        if bytes(fingerprint) != keyed.fingerprint:
            self.told("mismatch")
            raise IdempotencyKeyReused
        answer = read_answer(
            status, headers, bytes(body), keyed, self.secret, is_sealed=bool(is_sealed)
        )
        self.told("replay")
        return answer

    async def count_expired(self) -> int:
        """How many answers are kept longer than they have to be."""
        rows = await self.database.reads.fetch(self._expired)
        return int(rows[0][0])

    async def purge(self, rows: int = 1000) -> int:
        """Deletes expired answers, in one transaction.

        Args:
            rows: the most that are deleted.

        Returns:
            How many there were.
        """
        return await delete_rows(self.database, self._purge, rows)


class _Claim:
    """The claim of one attempt.

    Attributes:
        is_made: the lock was got and no answer was there.
        outcome: what ends the request without its use case.
    """

    def __init__(self, idempotency: Idempotency, keyed: KeyedRequest) -> None:
        self._idempotency = idempotency
        self._keyed = keyed
        self.is_made = False
        self.outcome: StoredAnswer | Problem | None = None

    async def make(self, session: AsyncSession) -> None:
        keyed = self._keyed
        values = {"lock": keyed.lock, "principal": keyed.principal, "key_hash": keyed.key_hash}
        got, *row = (await session.execute(self._idempotency.claim, values)).one()
        if row[0] is not None:
            self._replay(row)
        elif not got:
            self._idempotency.told("in_flight")
            self.outcome = IdempotencyInFlight()
            raise self.outcome
        self.is_made = True

    def answer(self) -> StoredAnswer:
        if isinstance(self.outcome, Problem):
            raise self.outcome
        assert self.outcome is not None  # noqa: S101 - asked for only if it is there
        return self.outcome

    def _replay(self, row: list[Any]) -> None:
        try:
            self.outcome = self._idempotency.replay(self._keyed, row)
        except Problem as problem:
            self.outcome = problem
            raise
        raise _Replayed


def _reason(error: BaseException) -> str | None:
    return _UNIQUE if isinstance(error, _Overtaken) else rerun_reason(error)
