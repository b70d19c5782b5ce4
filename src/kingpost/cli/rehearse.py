"""Actions of `kingpost db`: rehearse."""

import argparse
import json
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kingpost.cli.invocation import CommandError, Invocation, Subcommands

if TYPE_CHECKING:
    from kingpost.migrations.rehearsal.report import Report, Statement


def add_actions(actions: Subcommands) -> None:
    """Adds them to `db`."""
    parser = actions.add_parser(
        "rehearse",
        help="prove on a throw-away PostgreSQL that a change stops nobody",
        description="Runs revisions, or a script of SQL, on a throw-away PostgreSQL with rows "
        "in every table and with the running version's statements, and says what they do to it.",
    )
    _add_common(parser)
    _add_of_revisions(parser)
    _add_of_scripts(parser)
    parser.set_defaults(run=rehearse)


def _add_common(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--rows", type=_count, default=10_000, metavar="N", help="in each table (10000)")
    add("--postgres", type=int, choices=(16, 18), help="major version of the embedded server (18)")
    add(
        "--server", metavar="URL", help="a server of yours, where it makes databases and drops them"
    )
    add("--statistics", type=Path, metavar="FILE", help="rows of production, for the estimates")
    add("--statistics-sql", action="store_true", help="print the query that makes that file")
    add("--no-live", action="store_true", help="leave out the pass under live traffic")
    add("--json", action="store_true", help="print one JSON document, nothing else")
    add("--output", type=Path, metavar="FOLDER", help="write report.json, junit.xml, report.html")


def _add_of_revisions(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("revisions of the service")
    add = group.add_argument
    add(
        "revisions",
        nargs="*",
        metavar="REVISION",
        help="or a range such as a1b2..head; default: those not applied yet",
    )
    add("--old", metavar="GITREV", help="the version that runs, from git; its HTTP API is used")
    add("--no-service", action="store_true", help="leave the service's HTTP API out")
    add("--fill", metavar="MODULE:FUNCTION", help="fills the tables, in place of generated rows")
    add("--dump", type=Path, metavar="FILE", help="fills the tables from a file of pg_dump")


def _add_of_scripts(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("a script of SQL, without a service")
    add = group.add_argument
    add("--schema", type=Path, metavar="FILE", help="makes what is there before")
    add("--data", type=Path, metavar="FILE", help="rows; tables without any are filled")
    add("--sql", type=Path, metavar="FILE", help="the change")
    add("--undo", type=Path, metavar="FILE", help="the way back")
    add(
        "--traffic",
        type=Path,
        metavar="FILE",
        help="statements of the running version, one a line; else it uses every table and column",
    )
    add("--single-transaction", action="store_true", help="run the change in one transaction")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows, write 1 or more")
    return int(text)


def rehearse(invocation: Invocation) -> int:
    """Rehearses revisions or a script, prints and writes the report.

    The exit code is 0 if the change passes or a person answers for it in the revision; else it is
    `Verdict.exit_code` of the worst one that nobody answers for, 12 to 18.
    """
    from kingpost.migrations.rehearsal.statistics import STATISTICS_SQL  # noqa: PLC0415 - see db.py

    given = invocation.arguments
    if given.statistics_sql:
        print(STATISTICS_SQL, end="")
        return 0
    from kingpost.cli.rehearse_input import is_script  # noqa: PLC0415 - slow to import

    script = is_script(given)
    signal.signal(signal.SIGTERM, _interrupt)  # so that its server ends with it
    if given.output is not None:
        given.output.mkdir(parents=True, exist_ok=True)  # found out before minutes are spent
    with _one_line_of_interrupt(), redirect_stdout(sys.stderr):  # what revisions print is no report
        report = _rehearsed(invocation, script)
    if given.output is not None:
        _write(report, given.output)
    _print(report, script=script, as_document=given.json)
    return _exit_code(report, script=script)


def _interrupt(*_: object) -> None:
    signal.raise_signal(signal.SIGINT)


@contextmanager
def _one_line_of_interrupt() -> Iterator[None]:
    from kingpost.migrations.rehearsal.interrupts import is_interrupt  # noqa: PLC0415 - see db.py

    try:
        yield
    except BaseException as error:
        if not is_interrupt(error):
            raise
        print("kingpost: interrupted; nothing of the rehearsal is left", file=sys.stderr)
        raise KeyboardInterrupt from error


def _rehearsed(invocation: Invocation, script: bool) -> "Report":
    from kingpost.cli.rehearse_input import (  # noqa: PLC0415 - slow to import
        chosen_revisions,
        options_of,
        script_of,
    )
    from kingpost.migrations.rehearsal import rehearse as core  # noqa: PLC0415 - slow to import
    from kingpost.migrations.rehearsal.estimates import with_estimates  # noqa: PLC0415 - the same

    given, options, progress = invocation.arguments, options_of(invocation), _progress()
    try:
        if not script:
            project = invocation.project
            sys.path.insert(0, str(project.source))  # its revisions import its models
            revisions = chosen_revisions(invocation)
            report = core.rehearse_revisions(project, revisions, options, progress=progress)
        else:
            text, single = script_of(given), given.single_transaction
            report = core.rehearse_script(
                text, options, progress=progress, single_transaction=single
            )
            report = _with_files(report, given)
    except (core.RehearsalError, core.ScriptError) as error:
        raise CommandError(_with_file(str(error), given)) from error
    return with_estimates(report, options.statistics) if options.statistics else report


def _with_files(report: "Report", given: argparse.Namespace) -> "Report":
    """Names the file of the way back, of which the rehearsal knows the text alone."""
    revisions = [
        replace(it, statements=tuple(_placed(statement, given) for statement in it.statements))
        for it in report.revisions
    ]
    return replace(report, revisions=tuple(revisions))


def _placed(statement: "Statement", given: argparse.Namespace) -> "Statement":
    place = _with_file(statement.place, given) if statement.undo else statement.place
    return replace(statement, place=place)


def _with_file(message: str, given: argparse.Namespace) -> str:
    """Begins the message with the file that was given, where it tells of a part of a script."""
    part = re.match(r"(schema|data|undo)(?:\.sql)?(?=:\d)", message)
    file = getattr(given, part[1]) if part else None
    return message if part is None or file is None else f"{file}{message[part.end() :]}"


def _progress() -> Callable[[str], None]:
    """Shows what is being done, with the seconds since the beginning, where no report goes."""
    began = time.monotonic()

    def show(line: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {line}", file=sys.stderr, flush=True)

    return show


def _write(report: "Report", folder: Path) -> None:
    from kingpost.migrations.rehearsal.junit import as_junit  # noqa: PLC0415 - slow to import
    from kingpost.migrations.rehearsal.page import as_html  # noqa: PLC0415 - slow to import

    (folder / "report.json").write_text(_document(report), encoding="utf-8")
    (folder / "junit.xml").write_text(as_junit(report), encoding="utf-8")
    (folder / "report.html").write_text(as_html(report), encoding="utf-8")
    print(f"written: {folder / 'report.html'}, report.json, junit.xml", file=sys.stderr)


def _document(report: "Report") -> str:
    from kingpost.migrations.rehearsal.machine import as_json  # noqa: PLC0415 - slow to import

    return json.dumps(as_json(report), indent=2) + "\n"


def _print(report: "Report", *, script: bool, as_document: bool) -> None:
    from kingpost.migrations.rehearsal.text import as_text  # noqa: PLC0415 - slow to import

    text = _document(report) if as_document else as_text(report, script=script)
    encoding = sys.stdout.encoding or "utf-8"  # a terminal may be unable to show all of SQL
    print(text.encode(encoding, "replace").decode(encoding), end="")


def _exit_code(report: "Report", *, script: bool) -> int:
    from kingpost.migrations.rehearsal.verdicts import worst  # noqa: PLC0415 - slow to import

    counting = [it.verdict for it in report.revisions if script or not it.accepted]
    return worst(counting).exit_code
