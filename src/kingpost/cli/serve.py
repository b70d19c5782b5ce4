"""`kingpost serve`: the way to run in production. It changes nothing, it only checks and serves."""

import asyncio

from sqlalchemy.exc import DBAPIError

from kingpost.cli import serving
from kingpost.cli.invocation import CommandError, Invocation, Subcommands
from kingpost.migrations import revisions
from kingpost.migrations.engine import migration_engine, unreachable
from kingpost.project import Project
from kingpost.settings import SettingsError


def add_commands(commands: Subcommands) -> None:
    """Adds `serve` to the parser."""
    parser = commands.add_parser("serve", help="serve a migrated database (for production)")
    parser.set_defaults(run=run)


def run(invocation: Invocation) -> int:
    """Serves until SIGTERM or SIGINT; refuses a database at another revision than the code."""
    settings = invocation.settings
    if settings.database_url is None:
        raise SettingsError([f"{invocation.project.env_prefix}DATABASE_URL: needed by `serve`"])
    sockets = serving.listen(settings, invocation.project.env_prefix)
    check_revision(invocation.project, settings.database_url.get_secret_value())
    return serving.serve(invocation.project, settings, sockets)


def check_revision(project: Project, url: str) -> None:
    """Refuses a database that is at another revision than the code.

    Args:
        project: the service.
        url: its database.

    Raises:
        CommandError: they differ, or the database cannot be reached.
    """
    wanted, found = revisions.heads(project.migrations), current_revisions(project, url)
    refuse_unknown(project, found, "deploy the code that made it")
    if wanted != found:
        raise CommandError(
            f"the database is at revision {_names(found)}, this code needs {_names(wanted)}: "
            "run `alembic upgrade head`"
        )


def refuse_unknown(project: Project, found: set[str], way_out: str) -> None:
    """Refuses a database that newer code has migrated.

    Args:
        project: the service.
        found: the revisions of its database.
        way_out: what to do about it.

    Raises:
        CommandError: the code does not know these revisions.
    """
    unknown = found - revisions.known(project.migrations)
    if unknown:
        raise CommandError(
            f"the database is at revision {_names(unknown)}, which this code does not have: "
            f"{way_out}"
        )


def current_revisions(project: Project, url: str) -> set[str]:
    """Asks the database for its revisions.

    Args:
        project: the service.
        url: its database.

    Raises:
        CommandError: the database cannot be reached.
    """
    try:
        return asyncio.run(_ask(url))
    except (OSError, DBAPIError) as error:
        told = unreachable(error, f"{project.env_prefix}DATABASE_URL")
        raise CommandError(told) from error


async def _ask(url: str) -> set[str]:
    engine = migration_engine(url)
    try:
        return await revisions.current(engine)
    finally:
        await engine.dispose()


def _names(found: set[str]) -> str:
    return ", ".join(sorted(found)) or "(none)"
