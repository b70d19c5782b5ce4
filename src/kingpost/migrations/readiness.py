"""The readiness check that the database is not behind the code."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from kingpost.migrations import revisions


class RevisionMismatch(Exception):
    """The database is at an older revision than the code needs."""

    def __init__(self, expected: set[str], found: set[str]) -> None:
        super().__init__(f"at revision {_names(found)}, the code needs {_names(expected)}")


def revision_check(engine: AsyncEngine, migrations: Path) -> Callable[[], Awaitable[None]]:
    """Makes a check for readiness; the code's revisions are read once, when it is made.

    While a release is rolled out, the database is ahead of the instances that still run the old
    code. They know nothing of its revision and stay ready, or the rollout would be an outage;
    that the old code works on the new schema is the duty of the migration.

    Args:
        engine: of the database.
        migrations: the folder with env.py and versions/.

    Returns:
        A function without arguments that raises RevisionMismatch.
    """
    expected, known = revisions.heads(migrations), revisions.known(migrations)

    async def check() -> None:
        found = await revisions.current(engine)
        if found != expected and (not found or found <= known):
            raise RevisionMismatch(expected, found)

    return check


def _names(found: set[str]) -> str:
    return ", ".join(sorted(found)) or "none"
