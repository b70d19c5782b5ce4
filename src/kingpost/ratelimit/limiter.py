"""Counts the requests of each principal, in the database and with few statements."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextvars import Context
from datetime import timedelta
from math import ceil
from time import monotonic
from typing import Any

from kingpost.database import Database, Statement, Transaction
from kingpost.database.failures import lost_reason
from kingpost.database.purging import delete_rows
from kingpost.database.retry import rerun
from kingpost.ratelimit import statements
from kingpost.ratelimit.problems import QuotaExceeded

OPEN_SECONDS = 1.0
PRINCIPALS = 10_000
_POLICY = "default"
_ATTEMPTS = 2
_LOG = logging.getLogger("kingpost.ratelimit")

Told = Callable[[str], None]
RawHeaders = tuple[tuple[bytes, bytes], ...]


class RateLimiter:
    """So many requests of a principal in a window, whichever process they come to.

    A window begins with the first request after the last one has ended, by the clock of the
    database. A process leases a part of what is left with one statement, and gives that out with
    none. What it has not given out when the window ends is lost, so there are never more than the
    limit, and perhaps a few less. That nothing is left is remembered until the window ends.

    A database that does not answer within its `acquire_timeout` refuses nobody: for a second
    everybody is let in, and then it is asked again.

    Args:
        database: where it is counted.
        model: a mapped class with `RateLimitMixin`.
        limit: requests of a principal in a window.
        window: how long one is, in whole seconds.
        told: is told what happens: `lease`, `refused`, `unchecked`.
    """

    def __init__(
        self,
        database: Database,
        model: type[Any],
        *,
        limit: int,
        window: int,
        told: Told = lambda _: None,
    ) -> None:
        table = model.__table__
        self._database = database
        self._told = told
        self._policy = f'"{_POLICY}";q={limit};w={window}'
        self._policy_header = (b"ratelimit-policy", self._policy.encode())
        self._lease = statements.lease(table, limit=limit, window=timedelta(seconds=window))
        self._purge = statements.purge(table)
        self._compiled: Statement | None = None
        self._leases: dict[str, _Lease] = {}
        self._renewing: dict[str, asyncio.Task[bool]] = {}
        self._open_until = 0.0

    async def admit(self, principal: str) -> RawHeaders:
        """Counts a request, and says how many more there may be.

        Args:
            principal: who asks, its `Principal.subject`.

        Returns:
            The headers `RateLimit-Policy` and `RateLimit` of the answer (draft-ietf-httpapi-
            ratelimit-headers, sections 3 and 4); none if the database does not answer.

        Raises:
            QuotaExceeded: nothing is left until the window ends.
        """
        while True:
            lease = self._leases.get(principal)
            now = monotonic()
            if lease is not None and now < lease.ends:
                if lease.left > 0:
                    lease.left -= 1
                    told = (lease.left + lease.free, ceil(lease.ends - now))
                    return self._policy_header, (b"ratelimit", b'"default";r=%d;t=%d' % told)
                if lease.free == 0:
                    self._told("refused")
                    raise self._exceeded(lease, now)
            if now < self._open_until or not await self._renewed(principal):
                self._told("unchecked")
                return ()

    async def purge(self, rows: int = 1000) -> int:
        """Deletes windows that have ended, in one transaction.

        Args:
            rows: the most that are deleted.

        Returns:
            How many there were.
        """
        return await delete_rows(self._database, self._purge, rows)

    def _exceeded(self, lease: "_Lease", now: float) -> QuotaExceeded:
        seconds = ceil(lease.ends - now)
        told = {"RateLimit-Policy": self._policy, "RateLimit": f'"{_POLICY}";r=0;t={seconds}'}
        return QuotaExceeded(policy=_POLICY, retry_after=seconds, headers=told)

    async def _renewed(self, principal: str) -> bool:
        """One statement for all requests that find the lease used up at the same time."""
        renewing = self._renewing.get(principal)
        if renewing is None or renewing.done():
            # in a context of its own: it is no statement of the request that happens to be first
            renewing = asyncio.create_task(self._renew(principal), context=Context())
            self._renewing[principal] = renewing
            renewing.add_done_callback(lambda task: self._renewed_by(principal, task))
        return await asyncio.shield(renewing)

    def _renewed_by(self, principal: str, task: "asyncio.Task[bool]") -> None:
        if self._renewing.get(principal) is task:
            del self._renewing[principal]

    async def _renew(self, principal: str) -> bool:
        try:
            async with asyncio.timeout(self._database.options.acquire_timeout):
                granted, free, seconds = await self._ask(principal)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the service
            self._let_everybody_in(error)
            return False
        self._told("lease")
        self._leases.pop(principal, None)  # so that the one put in first is the oldest
        self._leases[principal] = _Lease(granted, free, monotonic() + seconds)
        if len(self._leases) > PRINCIPALS:
            del self._leases[next(iter(self._leases))]
        return True

    def _let_everybody_in(self, error: Exception) -> None:
        if monotonic() >= self._open_until:
            _LOG.warning("requests are not counted for a second: %s", type(error).__name__)
        self._open_until = monotonic() + OPEN_SECONDS

    async def _ask(self, principal: str) -> Sequence[Any]:
        direct = self._database.direct
        if direct is None:
            return await self._ask_in_session(principal)
        statement = self._compiled = self._compiled or Statement(self._lease, direct.driver)
        arguments = statement.arguments({"principal": principal})
        # one that was lost may have taken its part: that is less for the client, never more
        rows = await rerun(
            lambda: direct.execute(statement, arguments),
            attempts=_ATTEMPTS,
            reason=lost_reason,
            observer=self._database.observer,
        )
        [row] = rows
        return tuple(row)

    async def _ask_in_session(self, principal: str) -> Sequence[Any]:
        """Behind PgBouncer, where a session of the server belongs to nobody."""

        async def use(tx: Transaction) -> Sequence[Any]:
            result = await tx.session.execute(self._lease, {"principal": principal})
            return tuple(result.one())

        return await self._database.unit_of_work(actor="service").run(use)


class _Lease:
    """What a process may give out.

    Attributes:
        left: requests that it may still admit.
        free: what nobody has leased, as of then.
        ends: the end of the window, by the monotonic clock.
    """

    __slots__ = ("ends", "free", "left")

    def __init__(self, granted: int, free: int, ends: float) -> None:
        self.left = granted
        self.free = free
        self.ends = ends
