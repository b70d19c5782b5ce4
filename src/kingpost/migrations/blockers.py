"""Who keeps a migration waiting."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# Asks for blockers only while it waits: pg_blocking_pids() stops the whole lock manager.
_BLOCKERS = text("""
    SELECT DISTINCT b.pid, a.application_name, a.usename::text, a.state,
        extract(epoch FROM clock_timestamp() - a.xact_start)::float8, left(a.query, 200)
    FROM pg_stat_get_activity(:pid) AS waiting
    CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS b(pid)
    LEFT JOIN pg_stat_activity AS a ON a.pid = b.pid
    WHERE waiting.wait_event_type = 'Lock'
    ORDER BY 1
""")


@dataclass(frozen=True, slots=True)
class Blocker:
    """A session that holds a lock, or waits in front for one.

    Attributes:
        pid: of its backend; 0 for a prepared transaction.
        application: its application_name.
        user: its role.
        state: such as `idle in transaction`.
        age: seconds since its transaction began; None if that may not be seen.
        query: its last statement, at most 200 characters.
    """

    pid: int
    application: str | None
    user: str | None
    state: str | None
    age: float | None
    query: str | None

    def __str__(self) -> str:
        if self.pid == 0:
            return "a prepared transaction (see pg_prepared_xacts)"
        who = self.application or self.user or "unnamed"
        age = "of unknown age" if self.age is None else f"{self.age:.1f} s old"
        query = " ".join((self.query or "").split())
        return f"pid {self.pid} ({who}), {self.state or 'active'}, transaction {age}: {query}"


async def blockers_of(connection: AsyncConnection, pid: int) -> list[Blocker]:
    """Asks who keeps a backend waiting at this moment.

    Args:
        connection: another one than that of the backend.
        pid: of the backend.

    Returns:
        Those who hold the lock or are in front of it; none if it does not wait.
    """
    return [Blocker(*row) for row in await connection.execute(_BLOCKERS, {"pid": pid})]


def named(blockers: list[Blocker]) -> str:
    """Names blockers in one line.

    Args:
        blockers: as they were seen, maybe none.

    Returns:
        At most three of them.
    """
    if not blockers:
        return "somebody who was gone before we could look"
    more = f" and {len(blockers) - 3} more" if len(blockers) > 3 else ""
    return "; ".join(str(blocker) for blocker in blockers[:3]) + more
