"""Actions of `kingpost db`: upgrade, downgrade, current, history, check, wait."""

import argparse
import asyncio
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError as AlembicError
from sqlalchemy.exc import DBAPIError

from kingpost.cli.invocation import CommandError, Invocation, Subcommands, UsageError
from kingpost.cli.program import program
from kingpost.cli.serve import current_revisions
from kingpost.cli.table import print_table
from kingpost.migrations import checking, history, revisions
from kingpost.migrations.engine import migration_engine, reason, unreachable
from kingpost.migrations.errors import ResumableError
from kingpost.migrations.readiness import wait_until_ready
from kingpost.migrations.runner import RUN_ATTRIBUTE, Run, configuration

BEHIND = 7


def add_actions(actions: Subcommands) -> None:
    """Adds them to `db`."""
    up = actions.add_parser("upgrade", help="apply revisions, up to the first contract")
    up.add_argument("revision", nargs="?", metavar="REVISION", help="where to go; else the newest")
    up.add_argument("--contract", action="store_true", help="the version before runs nowhere")
    down = actions.add_parser("downgrade", help="revert revisions")
    down.add_argument("revision", metavar="REVISION", help="where to go, such as -1 or base")
    for parser, run in ((up, upgrade), (down, downgrade)):
        parser.add_argument("--sql", action="store_true", help="print the SQL, change nothing")
        parser.add_argument(
            "--patience", metavar="SECONDS", type=_seconds, help="with locks of others; else 600"
        )
        parser.set_defaults(run=run)
    waiting = actions.add_parser("wait", help="wait until the database is not behind the code")
    waiting.add_argument(
        "--timeout", metavar="SECONDS", type=_seconds, default=300.0, help="else 300"
    )
    waiting.set_defaults(run=wait)
    for name, run, told in (
        ("current", current, "the revision of the database"),
        ("history", list_history, "all revisions, with phase, applied or not"),
        ("check", check, "whether the database is what the code expects"),
    ):
        parser = actions.add_parser(name, help=told)
        parser.add_argument("--json", action="store_true", help="for programs")
        parser.set_defaults(run=run)


def _seconds(given: str) -> float:
    wrong = argparse.ArgumentTypeError("seconds, 0 or more")
    try:
        seconds = float(given)
    except ValueError:
        raise wrong from None
    if not 0 <= seconds < float("inf"):
        raise wrong
    return seconds


def upgrade(invocation: Invocation) -> int:
    """Applies revisions, as far as the version before can live with them."""
    target = invocation.arguments.revision or "head"
    _refuse_unknown(invocation, target)
    run = Run(_contract(invocation), invocation.arguments.patience)
    with _database(invocation) as url:
        if invocation.arguments.sql:
            _print_upgrade(invocation, url, target, run)
        else:
            _apply(invocation, url, command.upgrade, target, run)
    _tell_of_contract(run)
    return 0


def _refuse_unknown(invocation: Invocation, target: str) -> None:
    """Before the database is asked: `a1b2+1` and `a1b2-1` are steps from `a1b2`."""
    name = re.sub(r"[+-]\d+$", "", target)
    try:
        if name not in {"", "head", "heads", "base"}:
            _scripts(invocation).get_revisions(name)
    except AlembicError as error:
        raise UsageError(
            f"there is no revision {name} here, or more than one begins so: "
            f"`{program()} db history` lists them"
        ) from error


def _contract(invocation: Invocation) -> Any:
    if invocation.arguments.contract:
        return "allow"
    return "stop" if invocation.arguments.revision in {None, "head", "heads"} else "refuse"


@contextmanager
def _database(invocation: Invocation) -> Iterator[str]:
    with invocation.project.database_url(invocation.loaded.values) as url:
        yield url


def downgrade(invocation: Invocation) -> int:
    """Reverts revisions."""
    target, run = invocation.arguments.revision, Run(patience=invocation.arguments.patience)
    _refuse_unknown(invocation, target)
    with _database(invocation) as url:
        if invocation.arguments.sql:
            _print_downgrade(invocation, url, target, run)
        else:
            _apply(invocation, url, command.downgrade, target, run)
    return 0


def _apply(
    invocation: Invocation, url: str, change: Callable[..., None], target: str, run: Run
) -> None:
    config = configuration(invocation.project, url)
    config.attributes[RUN_ATTRIBUTE] = run
    with _heard(), _one_line_errors(run):
        change(config, target)
    if not run.applied:
        print("There is nothing to do.")


@contextmanager
def _heard() -> Iterator[None]:
    """Prints what the runner tells: revisions, waits, attempts."""
    logger, handler = logging.getLogger("kingpost.migrations"), logging.StreamHandler(sys.stdout)
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before


@contextmanager
def _one_line_errors(run: Run) -> Iterator[None]:
    """What the database says is told with the revision, and with what is applied already."""
    try:
        yield
    except DBAPIError as error:
        told = " ".join([f"the database says: {reason(error)}", *map(_in, _notes(error))])
        if run.applied:
            raise ResumableError(f"{told}; applied before it: {', '.join(run.applied)}") from error
        raise CommandError(told) from error


def _notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", ()))


def _in(note: str) -> str:
    return f"({note})"


def _tell_of_contract(run: Run) -> None:
    if run.held_back:
        print(
            f"Held back: {', '.join(run.held_back)}. The first one takes away what the version "
            "before uses. Once no instance of that is left, run "
            f"`{program()} db upgrade --contract`.",
            file=sys.stderr,
        )


def _print_upgrade(invocation: Invocation, url: str, target: str, run: Run) -> None:
    start = _plan(invocation, url, command.upgrade, target, run)
    if run.planned:
        way = f"{start}:{run.planned[-1]}"
        command.upgrade(configuration(invocation.project, url), way, sql=True)


def _print_downgrade(invocation: Invocation, url: str, target: str, run: Run) -> None:
    start = _plan(invocation, url, command.downgrade, target, run)
    if run.planned:
        end = _scripts(invocation).get_revision(run.planned[-1]).down_revision or "base"
        command.downgrade(configuration(invocation.project, url), f"{start}:{end}", sql=True)


def _plan(
    invocation: Invocation, url: str, change: Callable[..., None], target: str, run: Run
) -> str:
    """Finds the way without going it; returns where it starts."""
    run.plan_only = True
    config = configuration(invocation.project, url)
    config.attributes[RUN_ATTRIBUTE] = run
    change(config, target)
    found = current_revisions(invocation.project, url)
    if len(found) > 1:
        raise UsageError("--sql needs one way: the database is at more than one revision")
    return next(iter(found), "base")


def _scripts(invocation: Invocation) -> ScriptDirectory:
    return ScriptDirectory.from_config(configuration(invocation.project, ""))


def current(invocation: Invocation) -> int:
    """Prints the revision of the database."""
    with _database(invocation) as url:
        found = current_revisions(invocation.project, url)
    heads = revisions.heads(invocation.project.migrations)
    if invocation.arguments.json:
        _print_json({"current": sorted(found), "heads": sorted(heads), "at_head": found == heads})
    else:
        for revision in sorted(found) or ["(none)"]:
            print(revision + (" (head)" if revision in heads else ""))
    return 0


def list_history(invocation: Invocation) -> int:
    """Prints all revisions, the newest first."""
    with _database(invocation) as url:
        found = current_revisions(invocation.project, url)
    code = revisions.Code.read(invocation.project.migrations)
    entries = history.history(_scripts(invocation), code, found)
    if invocation.arguments.json:
        _print_json([asdict(entry) for entry in entries])
    else:
        marks = {True: "applied", False: "", None: "?"}
        rows = [(e.revision, e.phase, marks[e.applied], e.title) for e in entries]
        print_table(("REVISION", "PHASE", "STATE", "TITLE"), rows)
    return 0


def check(invocation: Invocation) -> int:
    """Prints what is not as the code expects; fails if there is something."""
    with _database(invocation) as url, _naming_the_setting(invocation):
        checked = checking.check(invocation.project, url)
    if invocation.arguments.json:
        _print_json({"ok": not checked.findings, **asdict(checked)})
    elif checked.findings:
        for finding in checked.findings:
            print(f"{finding.kind}: {finding.name}: {finding.advice}")
    else:
        print(f"The database is at {', '.join(checked.current)}, and as the models say.")
    return BEHIND if checked.behind else 1 if checked.findings else 0


@contextmanager
def _naming_the_setting(invocation: Invocation) -> Iterator[None]:
    try:
        yield
    except (OSError, DBAPIError) as error:
        setting = f"{invocation.project.env_prefix}DATABASE_URL"
        raise CommandError(unreachable(error, setting)) from error


def wait(invocation: Invocation) -> int:
    """Waits until the database is at the revision of the code or ahead."""
    with _database(invocation) as url:
        ready = asyncio.run(_wait(invocation, url))
    return 0 if ready else BEHIND


async def _wait(invocation: Invocation, url: str) -> bool:
    engine, timeout = migration_engine(url), invocation.arguments.timeout
    try:
        return await wait_until_ready(engine, invocation.project.migrations, timeout, _tell)
    finally:
        await engine.dispose()


def _tell(problem: str) -> None:
    print(f"waiting: {problem}", file=sys.stderr, flush=True)


def _print_json(content: object) -> None:
    print(json.dumps(content, indent=2))
