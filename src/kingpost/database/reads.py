"""Reads without ORM and without transaction: one round trip each, lookups by key together."""

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncSession

from kingpost.context import current_request
from kingpost.database.coalescing import Lookups
from kingpost.database.direct import DirectPool
from kingpost.database.failures import lost_reason, translated
from kingpost.database.nesting import refuse_nested
from kingpost.database.retry import rerun
from kingpost.database.statements import KEYS, KeyQuery, Query, Statement

if TYPE_CHECKING:
    from kingpost.database.database import Database

READ_ATTEMPTS = 3
_NO_VALUES: Mapping[str, Any] = {}


class Reads:
    """Sends queries; see `Database.reads`.

    Args:
        database: where.
    """

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._direct = database.direct
        self._lookups: dict[KeyQuery, Lookups] = {}

    async def fetch(self, query: Query, values: Mapping[str, Any] = _NO_VALUES) -> Sequence[Any]:
        """The rows of a query, in one round trip.

        It sees what is committed when it is sent. If the connection was lost or the plan is
        stale, it is sent again, at most twice.

        Args:
            query: made once, not for each call.
            values: of its bind parameters, by name.

        Returns:
            The rows, each indexable like a tuple.

        Raises:
            Problem: for every failure of the database that is not a bug.
            SessionMisuse: inside a transaction, or without a value that the query needs.
        """
        refuse_nested()
        return await self._send(query, values)

    async def find(self, query: KeyQuery, key: Any) -> Any | None:
        """What a query selects first for one key; otherwise like `find_row`.

        Args:
            query: made once, not for each call.
            key: of the type of the key column.

        Returns:
            The value of its first column, or None if there is no row with this key.

        Raises:
            Exception: see `find_row`.
        """
        row = await self.find_row(query, key)
        return None if row is None else row[0]

    async def find_row(self, query: KeyQuery, key: Any) -> Sequence[Any] | None:
        """What a query selects for one key.

        Lookups that come at the same time are sent as one statement. No lookup joins one that
        was sent before, so it never sees less than what was committed when it was called.

        Args:
            query: made once, not for each call.
            key: of the type of the key column.

        Returns:
            The row with the key at its end, or None if there is no row with this key.

        Raises:
            Problem: for every failure of the database that is not a bug.
            SessionMisuse: inside a transaction.
            TypeError: the key has another type than its column.
        """
        refuse_nested()
        if not isinstance(key, query.key_type):  # the database might take it, and Python not
            wanted, given = query.key_type.__name__, type(key).__name__
            raise TypeError(f"the key has to be {wanted}, not {given}")
        lookups = self._lookups.get(query) or self._lookups_of(query)
        request = current_request.get()
        if request is None:
            return await lookups.find(key)
        started = perf_counter()
        try:
            return await lookups.find(key)
        finally:
            request.statements += 1
            request.database_seconds += perf_counter() - started

    def _lookups_of(self, query: KeyQuery) -> Lookups:
        lookups = Lookups(lambda keys: self._send(query.query, {KEYS: keys}))
        self._lookups[query] = lookups
        return lookups

    async def _send(self, query: Query, values: Mapping[str, Any]) -> Sequence[Any]:
        direct = self._direct
        if direct is None:
            return await self._send_in_session(query, values)
        statement = query.compiled(direct.driver)
        arguments = statement.arguments(values)
        try:
            return await direct.execute(statement, arguments)
        except Exception as error:  # noqa: BLE001 - it is raised again or told as its problem
            return await self._send_again(direct, statement, arguments, error)

    async def _send_again(
        self, direct: DirectPool, statement: Statement, arguments: list[Any], error: Exception
    ) -> Sequence[Any]:
        failed = [error]

        async def attempt() -> Sequence[Any]:
            if failed:
                raise failed.pop()
            return await direct.execute(statement, arguments)

        with translated(self._database.constraints):
            return await rerun(
                attempt,
                attempts=READ_ATTEMPTS,
                reason=lost_reason,
                observer=self._database.observer,
            )

    async def _send_in_session(self, query: Query, values: Mapping[str, Any]) -> Sequence[Any]:
        """Behind PgBouncer, where a session of the server belongs to nobody."""

        async def use(session: AsyncSession) -> Sequence[Any]:
            rows: Sequence[Any] = (await session.execute(query.statement, dict(values))).all()
            return rows

        return await self._database.read(use)
