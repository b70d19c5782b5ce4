"""The readiness check that the database is at the revision that the code needs."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from kingpost.migrations import revisions


class RevisionMismatch(Exception):
    """The database is at another revision than the code."""

    def __init__(self, expected: set[str], found: set[str]) -> None:
        super().__init__(f"at revision {_names(found)}, the code needs {_names(expected)}")


def revision_check(engine: AsyncEngine, migrations: Path) -> Callable[[], Awaitable[None]]:
    """Makes a check for readiness; the code's heads are read once, when it is made.

    Args:
        engine: of the database.
        migrations: the folder with env.py and versions/.

    Returns:
        A function without arguments that raises RevisionMismatch.
    """
    expected = revisions.heads(migrations)

    async def check() -> None:
        found = await revisions.current(engine)
        if found != expected:
            raise RevisionMismatch(expected, found)

    return check


def _names(found: set[str]) -> str:
    return ", ".join(sorted(found)) or "none"
