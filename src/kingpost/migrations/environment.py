"""What a service's env.py calls: runs Alembic's migrations on an asynchronous engine."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from alembic import command, context
from alembic.runtime.migration import RevisionStep
from alembic.util import CommandError
from sqlalchemy import MetaData
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from kingpost.migrations.applying import Applying, run_steps
from kingpost.migrations.autogenerate import include_name, rewrite
from kingpost.migrations.engine import migration_engine, unreachable
from kingpost.migrations.limits import Limits
from kingpost.migrations.lock import migration_lock
from kingpost.migrations.operations.journal import forget
from kingpost.migrations.planning import planned
from kingpost.migrations.pooler import refuse_transaction_pooling
from kingpost.migrations.runner import (
    COMPARE_ATTRIBUTE,
    OBSERVE_ATTRIBUTE,
    RUN_ATTRIBUTE,
    URL_ATTRIBUTE,
    Run,
)
from kingpost.project import Project, ProjectError
from kingpost.settings import SettingsError


def run(
    metadata: MetaData,
    *,
    environ: Mapping[str, str] | None = None,
    url: str | None = None,
    limits: Limits | None = None,
) -> None:
    """Runs what Alembic was asked for; called by env.py, and only there.

    The database is the one given to `kingpost.migrations.upgrade`, else `url`, else that of the
    service's settings, else the embedded development server, which runs as long as needed.

    Args:
        metadata: the tables of all models, compared by autogenerate.
        environ: the environment of the process, for the settings.
        url: a database, with an asynchronous driver.
        limits: of time, if not those that are usual.

    Raises:
        CommandError: the settings have mistakes, the embedded server cannot start, the database
            cannot be reached, or is behind a pooler in transaction mode.
        MigrationError: a migration stopped before its end.
    """
    options: dict[str, Any] = {
        "target_metadata": metadata,
        "compare_type": True,
        "compare_server_default": True,
        "on_version_apply": forget,
        "process_revision_directives": None if _only_compares() else rewrite,
        "include_name": include_name,
    }
    _show_progress()
    if context.is_offline_mode():
        context.configure(dialect_name="postgresql", literal_binds=True, **options)
        with context.begin_transaction():
            context.run_migrations()
        return
    with _database_url(url, environ or {}) as found:
        _wait_for(found, options, limits or Limits())


def _only_compares() -> bool:
    """True for `alembic check`, which wants every difference as it was found."""
    typed = getattr(getattr(context.config, "cmd_opts", None), "cmd", [None])
    return typed[0] is command.check or COMPARE_ATTRIBUTE in context.config.attributes


def _show_progress() -> None:
    """Alembic speaks through logging; typed in a shell it should be heard."""
    if getattr(context.config, "cmd_opts", None) is not None:
        logging.basicConfig(format="%(message)s")
        logging.getLogger("alembic").setLevel(logging.INFO)
        logging.getLogger("kingpost.migrations").setLevel(logging.INFO)
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


def _wait_for(url: str, options: dict[str, Any], limits: Limits) -> None:
    """Runs in a thread of its own, as the caller may be inside an event loop (a test, say)."""
    started: Future[Callable[[], object]] = Future()
    with ThreadPoolExecutor(1, thread_name_prefix="migrations") as thread:
        done = thread.submit(asyncio.run, _interruptible(started, _migrate(url, options, limits)))
        try:
            done.result()
        except KeyboardInterrupt:
            started.result()()
            raise


async def _interruptible(
    started: "Future[Callable[[], object]]", work: Coroutine[Any, Any, None]
) -> None:
    """Tells the caller's thread how to end the work; it is rolled back then."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task is not None:
        started.set_result(lambda: loop.call_soon_threadsafe(task.cancel))
    await work


async def _migrate(url: str, options: dict[str, Any], limits: Limits) -> None:
    """The revisions have an engine of their own, which may be observed."""
    ours, engine = migration_engine(url), migration_engine(url)
    if (observe := context.config.attributes.get(OBSERVE_ATTRIBUTE)) is not None:
        observe(engine)
    try:
        await _reach(ours)
        if _changes_the_schema():
            await _change(ours, engine, options, limits)
        else:
            await _run_sync(engine, options)
    finally:
        await engine.dispose()
        await ours.dispose()


async def _reach(engine: AsyncEngine) -> None:
    """Connects once, so that what fails later is no matter of the URL."""
    try:
        async with engine.connect():
            pass
    except (OSError, DBAPIError) as error:
        raise CommandError(unreachable(error, _url_setting())) from error


def _url_setting() -> str:
    try:
        return f"{_project().env_prefix}DATABASE_URL"
    except ProjectError:
        return "its URL"


async def _run_sync(engine: AsyncEngine, options: dict[str, Any]) -> None:
    async with engine.connect() as connection:
        await connection.run_sync(run_steps, options, None)


def _changes_the_schema() -> bool:
    """True for upgrade, downgrade and stamp; false for current, check and revision."""
    try:
        context.get_revision_argument()
    except KeyError:
        return False
    return True


async def _change(
    ours: AsyncEngine, engine: AsyncEngine, options: dict[str, Any], limits: Limits
) -> None:
    """Plans once without the lock, since mostly there is nothing to do, and again with it."""
    run: Run = context.config.attributes.get(RUN_ATTRIBUTE) or Run()
    if run.patience is not None:
        limits = replace(limits, patience=run.patience)
    if await _plan(ours, options, run) == [] or run.plan_only:
        return
    await refuse_transaction_pooling(ours, _url_setting())
    async with migration_lock(ours, patience=limits.patience) as held:
        steps = await _plan(ours, options, run)
        if steps is None:
            await _run_sync(engine, options)
            return
        await _make_version_table(ours, options)
        applying = Applying(engine, options, limits, run, held)
        for step in steps:
            await applying.apply(step)


async def _plan(
    engine: AsyncEngine, options: dict[str, Any], run: Run
) -> list[RevisionStep] | None:
    async with engine.connect() as connection:
        return await connection.run_sync(planned, options, run)


async def _make_version_table(engine: AsyncEngine, options: dict[str, Any]) -> None:
    """By itself, so that it is no part of the first revision."""
    async with engine.connect() as connection:
        await connection.run_sync(run_steps, options, [])
