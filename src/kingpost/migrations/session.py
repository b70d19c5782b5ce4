"""The session that a revision runs in."""

from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kingpost.migrations.limits import Limits

OWN_STATEMENT = {"kingpost_bookkeeping": True}

_NAME_BYTES = 63  # what PostgreSQL keeps of an application_name


async def prepare(connection: AsyncConnection, revision: str, limits: Limits, attempt: int) -> int:
    """Gives a new connection its name, its time limits and UTC.

    They are settings of the session: those of a transaction (SET LOCAL) would be lost where a
    revision leaves its transaction, and stay lost after that.

    Args:
        connection: just opened.
        revision: that is to run.
        limits: its time limits.
        attempt: 1 for the first.

    Returns:
        The pid of its backend.

    Raises:
        CommandError: the connection is in a transaction already.
    """
    if connection.in_transaction():
        raise CommandError(
            f"the connection for revision {revision} has begun a transaction by itself, so the "
            "revision could not have its own: whatever listens to the engine (`observe`, an event) "
            "must not execute anything when it connects, or must end it"
        )
    calls = ", ".join(f"set_config('{name}', :{name}, false)" for name in _NAMES)
    async with connection.begin():
        row = await connection.execute(
            text(f"SELECT pg_backend_pid(), {calls}"),
            _settings(revision, limits, attempt),
            execution_options=OWN_STATEMENT,
        )
        return int(row.scalar_one())


_NAMES = (
    "application_name",
    "lock_timeout",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
    "timezone",
)


def _settings(revision: str, limits: Limits, attempt: int) -> dict[str, str]:
    values = (
        f"kingpost-migrate:{revision}"[:_NAME_BYTES],
        _milliseconds(limits.lock_timeout(attempt)),
        _milliseconds(limits.statement_timeout),
        _milliseconds(limits.idle_timeout),
        "UTC",
    )
    return dict(zip(_NAMES, values, strict=True))


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
