"""`kingpost serve`: the way to run in production. It changes nothing, it only checks and serves."""

import asyncio
from collections.abc import Set

from sqlalchemy.exc import DBAPIError

from kingpost.cli import serving
from kingpost.cli.invocation import CommandError, Invocation, Subcommands
from kingpost.migrations import revisions
from kingpost.migrations.engine import migration_engine, unreachable
from kingpost.project import Project
from kingpost.server.workers import take
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
    project, taken = invocation.project, take(settings.handover)
    sockets = serving.listen(settings, project.env_prefix, taken)
    check_revision(project, settings.database_url.get_secret_value())
    if settings.workers > 1 or settings.handover is not None:
        return serving.serve_supervised(project, settings, sockets, taken)
    return serving.serve(project, settings, sockets)


def check_revision(project: Project, url: str) -> None:
    """Refuses a database that lacks a revision which the code needs; a contract may still come.

    Args:
        project: the service.
        url: its database.

    Raises:
        CommandError: they differ, or the database cannot be reached.
    """
    code, found = revisions.Code.read(project.migrations), current_revisions(project, url)
    refuse_unknown(project, found, "deploy the code that made it")
    if missing := code.missing(found):
        wanted = code.newest(missing)
        raise CommandError(
            f"the database is at revision {_names(found)}, this code needs {_names(wanted)}: "
            "run `kingpost db upgrade`"
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


def _names(found: Set[str]) -> str:
    return ", ".join(sorted(found)) or "(none)"
