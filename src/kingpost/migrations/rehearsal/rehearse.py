"""Rehearses a change: the entry points that the command line, CI and tests call."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kingpost.embedded import EmbeddedPostgres
from kingpost.migrations.rehearsal.changes import ScriptChange
from kingpost.migrations.rehearsal.rehearsing import Rehearsal
from kingpost.migrations.rehearsal.report import Report, Revision
from kingpost.migrations.rehearsal.revision_change import RevisionChange, changes_of
from kingpost.migrations.rehearsal.seeding import OwnFill, load, restore
from kingpost.migrations.rehearsal.senders import Traffic
from kingpost.migrations.rehearsal.server import RehearsalError, running
from kingpost.migrations.rehearsal.splitting import ScriptError, split
from kingpost.migrations.rehearsal.traffic import parse
from kingpost.migrations.rehearsal.verdicts import Verdict
from kingpost.migrations.rehearsal.versions import Code, running_versions
from kingpost.project import Project

__all__ = [
    "Options",
    "RehearsalError",
    "Script",
    "ScriptError",
    "rehearse_revisions",
    "rehearse_script",
]

T = TypeVar("T")
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Script:
    """A change of any schema, as texts of SQL.

    Args:
        name: that the report gives it.
        schema: makes what is there before.
        change: what is rehearsed.
        data: rows; tables that it leaves empty get generated ones.
        undo: the way back; empty if there is none.
        traffic: statements of the running version, one a line; if it is empty, the verdict says
            nothing of that version, since it may use anything or nothing of the schema.
        every_column: without traffic, take it for a version that uses every table and column.
    """

    name: str
    schema: str
    change: str
    data: str = ""
    undo: str = ""
    traffic: str = ""
    every_column: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """How a rehearsal is done.

    Args:
        rows: in each table that gets generated ones.
        major: of the embedded PostgreSQL, 16 or 18.
        url: of a server on which databases may be made, in place of an embedded one.
        live: whether the change runs once more under live traffic, to show who waits.
        old: git revision of the running version, for its HTTP API.
        service: without it, whether the live pass uses the HTTP API of the code as it is, or of
            the commit before the revision if that does not work on the schema before.
        statistics: rows by table in production, for the estimates.
        fill: fills tables in place of generated rows, called with a connection and `rows`.
        dump: a file of pg_dump that makes the database before the change.
    """

    rows: int = 10_000
    major: int = 18
    url: str | None = None
    live: bool = True
    old: str | None = None
    service: bool = True
    statistics: Mapping[str, int] | None = None
    fill: OwnFill | None = None
    dump: Path | None = None


def _quiet(_: str) -> None:
    return


def rehearse_script(
    script: Script,
    options: Options,
    *,
    server: EmbeddedPostgres | None = None,
    progress: Progress = _quiet,
    single_transaction: bool = False,
) -> Report:
    """Rehearses a script, run as psql would: each statement by itself unless it says BEGIN.

    Args:
        script: the change and what is there before.
        options: how.
        server: a running embedded server to make the databases on.
        progress: called with a short line for each thing that takes time.
        single_transaction: whether one transaction is put around the change.

    Returns:
        What was seen; its verdict does not depend on the speed of the machine.

    Raises:
        RehearsalError: the server, the schema or the data has failed.
        ScriptError: the change has a command of psql, or does not end.
    """
    change = ScriptChange(
        script.name,
        split(script.change, script.name),
        split(script.undo, "undo"),
        single_transaction=single_transaction,
    )
    return in_own_thread(lambda: _script(script, change, options, server, progress))


def in_own_thread(work: Callable[[], T]) -> T:
    """Calls what runs event loops of its own, whether or not the caller is inside of one.

    Args:
        work: without arguments.

    Returns:
        What it returns.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    with ThreadPoolExecutor(1, thread_name_prefix="rehearsal") as thread:
        return thread.submit(work).result()


def _script(
    script: Script,
    change: ScriptChange,
    options: Options,
    given: EmbeddedPostgres | None,
    progress: Progress,
) -> Report:
    began = time.monotonic()
    with running(options.url, options.major, given, progress) as server:
        rehearsal = Rehearsal(server, options.rows, options.fill, progress, shows=options.live)
        traffic = Traffic(parse(script.traffic), generated=script.every_column)

        @contextmanager
        def fresh() -> Iterator[str]:
            with server.database() as url:
                load(server, url, {"schema": script.schema, "data": script.data})
                yield url

        revision = rehearsal.rehearsed(change, fresh, traffic)
        return rehearsal.report((revision,), time.monotonic() - began)


def rehearse_revisions(
    project: Project,
    revisions: Sequence[str] | None,
    options: Options,
    *,
    server: EmbeddedPostgres | None = None,
    progress: Progress = _quiet,
) -> Report:
    """Rehearses revisions of a service, each from the state that the ones before it leave.

    The running version is one that uses every table and column of the schema before.

    Args:
        project: the service.
        revisions: which; None for the newest.
        options: how.
        server: a running embedded server to make the databases on.
        progress: called with a short line for each thing that takes time.

    Returns:
        What was seen, up to the first revision that failed.

    Raises:
        RehearsalError: the server, the dump or a revision before those has failed.
        CommandError: there is no such revision.
    """
    changes = changes_of(project, None if revisions is None else list(revisions))
    return in_own_thread(lambda: _revisions(changes, options, server, progress))


def _versions(change: RevisionChange, options: Options) -> tuple[Code, ...]:
    if not (options.live and options.service):
        return ()
    return running_versions(change.project, Path(change.script.path), change.phase)


def _revisions(
    changes: Sequence[RevisionChange],
    options: Options,
    given: EmbeddedPostgres | None,
    progress: Progress,
) -> Report:
    began = time.monotonic()
    with running(options.url, options.major, given, progress) as server, server.database() as base:
        rehearsal = Rehearsal(server, options.rows, options.fill, progress, shows=options.live)
        if options.dump is not None:
            progress(f"loading {options.dump}")
            restore(server, base, options.dump)
        found: list[Revision] = []
        for change in changes:
            progress(f"building the schema before {change.name}")
            change.reach(base)
            traffic = Traffic.of_service(change.project, options.old, _versions(change, options))
            found.append(rehearsal.rehearsed(change, lambda: server.database(base), traffic))
            if found[-1].verdict in {Verdict.ERROR, Verdict.PARTIAL}:
                break
        return rehearsal.report(tuple(found), time.monotonic() - began)
