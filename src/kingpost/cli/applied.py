"""Which revisions the database of the settings has, for commands that look at those it has not."""

import asyncio
import sys

from kingpost.cli.invocation import Invocation

_ANSWERS_WITHIN = 5.0  # seconds, of a database that only says which revisions it has


def applied_revisions(invocation: Invocation) -> set[str] | None:
    """Asks the database of the settings; the embedded one is started for that, if there is one.

    Args:
        invocation: with the settings.

    Returns:
        The revisions that it is at; None if there is no database, or none that answers, of which
        standard error has a line.
    """
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - slow to import

    from kingpost.embedded import EmbeddedError  # noqa: PLC0415 - slow to import
    from kingpost.project import ProjectError  # noqa: PLC0415 - slow to import

    project, values = invocation.project, invocation.loaded.values
    if values.database_url is None and not (project.development_folder / "postgres").is_dir():
        return None
    try:
        with project.database_url(values) as url:
            return asyncio.run(_revisions_of(url))
    except (OSError, TimeoutError, DBAPIError, EmbeddedError, ProjectError):
        print("The database does not answer: nobody knows what it has already.", file=sys.stderr)
        return None


async def _revisions_of(url: str) -> set[str]:
    from kingpost.migrations import revisions  # noqa: PLC0415 - slow to import
    from kingpost.migrations.engine import migration_engine  # noqa: PLC0415 - slow to import

    engine = migration_engine(url)
    try:
        return await asyncio.wait_for(revisions.current(engine), _ANSWERS_WITHIN)
    finally:
        await engine.dispose()
