"""What a service's env.py calls: runs Alembic's migrations on an asynchronous engine."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from kingpost.migrations.engine import migration_engine, unreachable
from kingpost.migrations.lock import migration_lock
from kingpost.migrations.runner import URL_ATTRIBUTE
from kingpost.project import Project, ProjectError
from kingpost.settings import SettingsError


def run(
    metadata: MetaData, *, environ: Mapping[str, str] | None = None, url: str | None = None
) -> None:
    """Runs what Alembic was asked for; called by env.py, and only there.

    The database is the one given to `kingpost.migrations.upgrade`, else `url`, else that of the
    service's settings, else the embedded development server, which runs as long as needed.

    Args:
        metadata: the tables of all models, compared by autogenerate.
        environ: the environment of the process, for the settings.
        url: a database, with an asynchronous driver.

    Raises:
        CommandError: the settings have mistakes, the embedded server cannot start, or the
            database cannot be reached.
        MigrationLockError: another process has been migrating for ten minutes.
    """
    options: dict[str, Any] = {
        "target_metadata": metadata,
        "compare_type": True,
        "compare_server_default": True,
    }
    _show_progress()
    if context.is_offline_mode():
        context.configure(dialect_name="postgresql", literal_binds=True, **options)
        with context.begin_transaction():
            context.run_migrations()
        return
    with _database_url(url, environ or {}) as found:
        _wait_for(found, options)


def _show_progress() -> None:
    """Alembic speaks through logging; typed in a shell it should be heard."""
    if getattr(context.config, "cmd_opts", None) is not None:
        logging.basicConfig(format="%(message)s")
        logging.getLogger("alembic").setLevel(logging.INFO)
        logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
        logging.getLogger("alembic.util.messaging").disabled = True  # repeats what is printed


@contextmanager
def _database_url(url: str | None, environ: Mapping[str, str]) -> Iterator[str]:
    given = context.config.attributes.get(URL_ATTRIBUTE, url)
    if given is not None:
        yield given
        return
    with _one_line_errors(), _service_database(environ) as found:
        yield found


def _service_database(environ: Mapping[str, str]) -> AbstractContextManager[str]:
    project = _project()
    return project.database_url(project.load_settings(environ).values)


def _project() -> Project:
    file = context.config.toml_file_name
    return Project.find(Path(file).absolute().parent if file else Path.cwd())


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Alembic shows its own errors as one line, all others with a traceback."""
    from kingpost.embedded import EmbeddedError  # noqa: PLC0415 - not in production

    try:
        yield
    except (EmbeddedError, ProjectError, SettingsError) as error:
        raise CommandError(str(error)) from error


def _wait_for(url: str, options: dict[str, Any]) -> None:
    """Runs in a thread of its own, as the caller may be inside an event loop (a test, say)."""
    with ThreadPoolExecutor(1, thread_name_prefix="migrations") as thread:
        thread.submit(asyncio.run, _migrate(url, options)).result()


async def _migrate(url: str, options: dict[str, Any]) -> None:
    engine = migration_engine(url)
    try:
        await _reach(engine)
        if _changes_the_schema():
            async with migration_lock(engine):
                await _run_sync(engine, options)
        else:
            await _run_sync(engine, options)
    finally:
        await engine.dispose()


async def _reach(engine: AsyncEngine) -> None:
    """Connects once, so that what fails later is no matter of the URL."""
    try:
        async with engine.connect():
            pass
    except (OSError, DBAPIError) as error:
        try:
            setting = f"{_project().env_prefix}DATABASE_URL"
        except ProjectError:
            setting = "its URL"
        raise CommandError(unreachable(error, setting)) from error


async def _run_sync(engine: AsyncEngine, options: dict[str, Any]) -> None:
    async with engine.connect() as connection:
        await connection.run_sync(_run_migrations, options)


def _changes_the_schema() -> bool:
    """True for upgrade, downgrade and stamp; false for current, check and revision."""
    try:
        context.get_revision_argument()
    except KeyError:
        return False
    return True


def _run_migrations(connection: Connection, options: dict[str, Any]) -> None:
    context.configure(connection=connection, transaction_per_migration=True, **options)
    with context.begin_transaction():
        context.run_migrations()
