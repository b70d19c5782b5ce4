"""Who waits for a lock of somebody else, looked up every few milliseconds."""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kingpost.migrations.engine import migration_engine
from kingpost.migrations.rehearsal.report import Wait

INTERVAL = 0.02
TRAFFIC = "kingpost-traffic"
"""Name of the connections of generated statements."""

_WAITING = """
    SELECT a.pid, a.application_name, coalesce(l.relation::regclass::text, '') AS relation,
           1000 * extract(epoch FROM clock_timestamp() - l.waitstart)::float8 AS waited,
           pg_blocking_pids(a.pid) AS blockers, left(a.query, 500) AS query
    FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid AND NOT l.granted
    WHERE a.wait_event_type = 'Lock' AND a.datname = current_database()
"""
_CHANGING = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND starts_with(application_name, '{prefix}')
"""
_PREPARED = re.compile(r"EXECUTE kingpost_(\d+)")


class Waiting:
    """Watches from a connection of its own (PostgreSQL, chapters 27.2.3 and 53.13).

    Args:
        url: of the database.
        change: with which the names of the connections that make the change begin.
        traffic: name of the connections that are watched; empty for all but `TRAFFIC`.
        clock: milliseconds since the beginning.
        text: of a prepared statement, by its number.
    """

    def __init__(
        self,
        url: str,
        change: str,
        traffic: str,
        clock: Callable[[], float],
        text: Callable[[int], str],
    ) -> None:
        self._url = url
        self._changing = _CHANGING.format(prefix=change.replace("'", "''"))
        self._change, self._traffic = change, traffic
        self._clock, self._text = clock, text
        self._engine: AsyncEngine | None = None
        self._connection: AsyncConnection | None = None
        self._seen: list[Wait] = []
        self._open: dict[int, tuple[tuple[str, str], int]] = {}

    async def open(self) -> None:
        """Connects."""
        self._engine = migration_engine(self._url)
        connection = await self._engine.connect()
        self._connection = await connection.execution_options(isolation_level="AUTOCOMMIT")

    async def close(self) -> None:
        """Disconnects."""
        if self._connection is not None:
            await self._connection.invalidate()
            await self._connection.close()
        if self._engine is not None:
            await self._engine.dispose()
        self._connection, self._engine = None, None

    def seen(self) -> tuple[Wait, ...]:
        """All waits so far, in order; each as long as it was when last looked at."""
        return tuple(self._seen)

    async def watch(self, over: Callable[[], bool]) -> None:
        """Looks again and again.

        Args:
            over: asked each time whether to end.
        """
        while not over():
            await self._look()
            await asyncio.sleep(INTERVAL)

    async def _look(self) -> None:
        try:
            if self._connection is None:
                await self.open()
            self._note(await self._rows(_WAITING))
        except Exception:  # noqa: BLE001 - what is not seen now is seen with the next look
            await self.close()

    async def _rows(self, sql: str) -> list[Any]:
        if self._connection is None:
            return []
        options = {"no_parameters": True}
        rows = list(await self._connection.exec_driver_sql(sql, execution_options=options))
        if rows and sql == _WAITING:
            changing = {row[0] for row in await self._rows(self._changing)}
            rows = [row for row in rows if self._matters(row, rows, changing)]
        return rows

    def _matters(self, row: Any, rows: list[Any], changing: set[int]) -> bool:
        name = row.application_name
        ours = not name.startswith(self._change) and name != TRAFFIC
        if self._traffic:
            ours = name == self._traffic
        blockers = {other.pid: other.blockers for other in rows}
        return ours and waits_for(row.pid, blockers, changing)

    def _note(self, rows: list[Any]) -> None:
        now, still = self._clock(), {}
        for row in rows:
            waited = max(row.waited or 0.0, 0.0)
            number = _PREPARED.match(row.query)
            query = self._text(int(number[1])) if number else row.query
            what = (query, row.relation)
            known = self._open.get(row.pid)
            if known and known[0] == what and self._seen[known[1]].waited_ms <= waited:
                began, at = self._seen[known[1]].began_ms, known[1]
                self._seen[at] = Wait(query, row.relation, began, waited)
            else:
                at = len(self._seen)
                self._seen.append(Wait(query, row.relation, now - waited, waited))
            still[row.pid] = (what, at)
        self._open = still


def waits_for(pid: int, blockers: Mapping[int, list[int]], changing: set[int]) -> bool:
    """Whether a process waits for one of some others, directly or through those between.

    Args:
        pid: of the process.
        blockers: of each process that waits.
        changing: the processes in question.

    Returns:
        True if one of them is at the end of the queue.
    """
    reached, ahead = {pid}, [pid]
    while ahead:
        for other in blockers.get(ahead.pop(), []):
            if other in changing:
                return True
            if other not in reached:
                reached.add(other)
                ahead.append(other)
    return False
