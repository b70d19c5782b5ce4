"""The readiness check that the database is not behind the code."""

import asyncio
from collections.abc import Awaitable, Callable, Set
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from kingpost.migrations import revisions
from kingpost.migrations.engine import reason

_POLL_SECONDS = 0.5


class RevisionMismatch(Exception):
    """The database is at an older revision than the code needs."""

    def __init__(self, expected: Set[str], found: Set[str]) -> None:
        super().__init__(f"at revision {_names(found)}, the code needs {_names(expected)}")


def revision_check(engine: AsyncEngine, migrations: Path) -> Callable[[], Awaitable[None]]:
    """Makes a check for readiness; the code's revisions are read once, when it is made.

    While a release is rolled out, the database is ahead of the instances that still run the old
    code. They know nothing of its revision and stay ready, or the rollout would be an outage;
    that the old code works on the new schema is the duty of the migration. A contract that has
    not been applied yet does not matter either: it comes when the old code is gone.

    Args:
        engine: of the database.
        migrations: the folder with env.py and versions/.

    Returns:
        A function without arguments that raises RevisionMismatch.
    """
    code = revisions.Code.read(migrations)

    async def check() -> None:
        found = await revisions.current(engine)
        if missing := code.missing(found):
            raise RevisionMismatch(code.newest(missing), found)

    return check


async def wait_until_ready(
    engine: AsyncEngine, migrations: Path, seconds: float, tell: Callable[[str], object]
) -> bool:
    """Waits until a database is not behind the code; it may also come up only meanwhile.

    Args:
        engine: of the database.
        migrations: the folder with env.py and versions/.
        seconds: to wait at most.
        tell: called with the reason to wait, whenever that is a new one.

    Returns:
        Whether it is ready.
    """
    check, clock = revision_check(engine, migrations), asyncio.get_running_loop().time
    end, told = clock() + seconds, ""
    while (problem := await _problem(check)) is not None:
        if problem != told:
            told = problem
            tell(problem)
        if clock() >= end:
            return False
        await asyncio.sleep(min(_POLL_SECONDS, max(0.0, end - clock())))
    return True


async def _problem(check: Callable[[], Awaitable[None]]) -> str | None:
    try:
        await check()
    except RevisionMismatch as error:
        return f"the database is {error}"
    except (DBAPIError, OSError) as error:
        return f"the database cannot be reached ({reason(error)})"
    return None


def _names(found: Set[str]) -> str:
    return ", ".join(sorted(found)) or "none"
