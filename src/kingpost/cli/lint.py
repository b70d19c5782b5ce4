"""Actions of `kingpost db`: lint."""

import json
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from kingpost.cli.applied import applied_revisions
from kingpost.cli.invocation import CommandError, Invocation, Subcommands, UsageError

if TYPE_CHECKING:
    from alembic.script import Script, ScriptDirectory

    from kingpost.migrations.lint.linting import Finding


def add_actions(actions: Subcommands) -> None:
    """Adds them to `db`."""
    parser = actions.add_parser(
        "lint",
        help="look through the SQL of revisions for what would stop traffic",
        description="Looks through the SQL of revisions for what would stop traffic, and says "
        "what to do instead. Exits with 1 if there is anything.",
    )
    parser.add_argument(
        "revisions",
        nargs="*",
        metavar="REVISION",
        help="an identifier, or a range such as a1b2..head; default: those that the database of "
        "the settings, or else the embedded one, has not got yet; all if there is no database",
    )
    parser.add_argument("--all", action="store_true", help="every revision")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=lint)


def lint(invocation: Invocation) -> int:
    """Prints what was found; the exit code is 1 if that is anything."""
    given = invocation.arguments
    if given.all and given.revisions:
        raise UsageError("--all is every revision: leave it out, or the revisions")
    with redirect_stdout(sys.stderr):  # what revisions print is no part of the findings
        found, count = _linted(invocation)
    if given.json:
        print(json.dumps([finding.as_json() for finding in found], indent=2))
    else:
        from kingpost.migrations.lint.text import as_text  # noqa: PLC0415 - slow to import

        print(as_text(found, count), end="")
    return 1 if found else 0


def _linted(invocation: Invocation) -> "tuple[tuple[Finding, ...], int]":
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - slow to import

    from kingpost.migrations.lint import linting  # noqa: PLC0415 - slow to import
    from kingpost.migrations.lint.squawk import SquawkError  # noqa: PLC0415 - slow to import
    from kingpost.migrations.runner import configuration  # noqa: PLC0415 - slow to import

    config = configuration(invocation.project, "")
    scripts = ScriptDirectory.from_config(config)
    chosen = _chosen(invocation, scripts)
    try:
        return linting.lint(config, scripts, chosen), len(chosen)
    except SquawkError as error:
        raise CommandError(str(error)) from error


def _chosen(invocation: Invocation, scripts: "ScriptDirectory") -> "list[Script]":
    from alembic.util import CommandError as AlembicError  # noqa: PLC0415 - slow to import

    from kingpost.migrations.lint import choosing  # noqa: PLC0415 - slow to import

    if invocation.arguments.revisions:
        try:
            return choosing.named(scripts, invocation.arguments.revisions)
        except AlembicError as error:
            raise UsageError(str(error)) from error
    applied = None if invocation.arguments.all else applied_revisions(invocation)
    if applied is None:
        return choosing.in_order(scripts)
    return choosing.pending(scripts, applied)
