"""`kingpost serve`: the way to run in production. It changes nothing, it only checks and serves."""

import asyncio
from collections.abc import Awaitable, Callable, Set
from typing import TypeVar

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from kingpost.cli import serving
from kingpost.cli.invocation import CommandError, Invocation, Subcommands
from kingpost.migrations import revisions
from kingpost.migrations.engine import migration_engine, unreachable
from kingpost.observability import configure_logging
from kingpost.project import Project
from kingpost.server.workers import open_or_take
from kingpost.settings import ServiceSettings, SettingsError

R = TypeVar("R")

# `reserved_connections` is there from PostgreSQL 16 on.
_FREE_CONNECTIONS = text(
    "SELECT current_setting('max_connections')::int"
    " - current_setting('superuser_reserved_connections')::int"
    " - coalesce(current_setting('reserved_connections', true), '0')::int"
)

_log = structlog.get_logger("kingpost.cli.serve")


def add_commands(commands: Subcommands) -> None:
    """Adds `serve` to the parser."""
    parser = commands.add_parser("serve", help="serve a migrated database (for production)")
    parser.set_defaults(run=run)


def run(invocation: Invocation) -> int:
    """Serves until SIGTERM or SIGINT; refuses a database at another revision than the code."""
    settings = invocation.settings
    if settings.database_url is None:
        raise SettingsError([f"{invocation.project.env_prefix}DATABASE_URL: needed by `serve`"])
    project = invocation.project
    if settings.handover is not None:
        configure_logging(settings.log_level, json=settings.environment == "production")
    sockets, taken = open_or_take(settings, project.env_prefix)
    url = settings.database_url.get_secret_value()
    check_revision(project, url)
    if settings.database_pooler == "none":  # a pooler has a limit of its own
        warn_about_connections(settings, free_connections(project, url))
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
    return asyncio.run(_with_engine(project, url, revisions.current))


async def _with_engine(project: Project, url: str, ask: Callable[[AsyncEngine], Awaitable[R]]) -> R:
    engine = migration_engine(url)
    try:
        return await ask(engine)
    except (OSError, DBAPIError) as error:
        told = unreachable(error, f"{project.env_prefix}DATABASE_URL")
        raise CommandError(told) from error
    finally:
        await engine.dispose()


async def _count_connections(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int((await connection.execute(_FREE_CONNECTIONS)).scalar_one())


def free_connections(project: Project, url: str) -> int:
    """How many connections PostgreSQL gives to ordinary users (its chapter 19.3).

    Args:
        project: the service.
        url: its database.

    Raises:
        CommandError: the database cannot be reached.
    """
    return asyncio.run(_with_engine(project, url, _count_connections))


def warn_about_connections(settings: ServiceSettings, free: int) -> None:
    """Says that the pools may want more connections than there are, which becomes 503s.

    Args:
        settings: workers and pools.
        free: what PostgreSQL gives.
    """
    each = settings.pool_size + settings.direct_pool_size + 1  # which /readyz has for itself
    wanted = settings.workers * each
    if wanted <= free:
        return
    configure_logging(settings.log_level, json=settings.environment == "production")
    _log.warning(
        "more database connections than PostgreSQL gives",
        workers=settings.workers,
        connections_of_each=each,
        wanted=wanted,
        given=free,
        cure="smaller pools, fewer workers, or a larger max_connections",
    )


def _names(found: Set[str]) -> str:
    return ", ".join(sorted(found)) or "(none)"
