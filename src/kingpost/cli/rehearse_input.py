"""What `kingpost db rehearse` is given: arguments, files, functions, revisions."""

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic.script import ScriptDirectory
from alembic.util import CommandError as AlembicError

from kingpost.cli.applied import applied_revisions
from kingpost.cli.invocation import Invocation, UsageError
from kingpost.database.url import UrlError, check_url, with_driver
from kingpost.migrations.lint import choosing
from kingpost.migrations.rehearsal.splitting import split
from kingpost.migrations.rehearsal.statistics import StatisticsError, read_statistics

if TYPE_CHECKING:
    from kingpost.migrations.rehearsal.rehearse import Options, Script

_OF_SCRIPTS = ("schema", "data", "sql", "undo", "traffic")
_OF_PROJECTS = ("old", "fill", "dump")


def is_script(arguments: argparse.Namespace) -> bool:
    """Tells a rehearsal of SQL files from one of revisions, and refuses a mixture.

    Args:
        arguments: as parsed.

    Returns:
        True for SQL files.

    Raises:
        UsageError: they do not go together; the message says how they would.
    """
    given = [name for name in _OF_SCRIPTS if getattr(arguments, name) is not None]
    if arguments.postgres is not None and arguments.server is not None:
        raise UsageError("--postgres chooses an embedded server and --server one of yours: one of")
    if not given:
        if arguments.single_transaction:
            raise UsageError("--single-transaction is for a script: give --schema and --sql")
        return False
    for name in ("schema", "sql"):
        if name not in given:
            raise UsageError(f"--{given[0]} needs --{name}: {_EXAMPLE}")
    strange = [f"--{name}" for name in _OF_PROJECTS if getattr(arguments, name) is not None]
    strange += arguments.revisions
    if strange:
        raise UsageError(f"a script has no {strange[0]}, that is for revisions: {_EXAMPLE}")
    return True


_EXAMPLE = "kingpost db rehearse --schema schema.sql --sql change.sql"


def script_of(arguments: argparse.Namespace) -> "Script":
    """Reads the files of a script.

    Args:
        arguments: as parsed.

    Returns:
        Their texts.

    Raises:
        UsageError: one cannot be read, or there is nothing to rehearse.
        ScriptError: the change has a command of psql, or does not end.
    """
    from kingpost.migrations.rehearsal.rehearse import Script  # noqa: PLC0415 - slow to import

    texts = {name: _text_of(getattr(arguments, name)) for name in _OF_SCRIPTS}
    if not split(texts["sql"], str(arguments.sql)):
        raise UsageError(f"{arguments.sql}: there is no statement in it")
    return Script(
        name=str(arguments.sql),
        schema=texts["schema"],
        change=texts["sql"],
        data=texts["data"],
        undo=texts["undo"],
        traffic=texts["traffic"],
        every_column=arguments.traffic is None,  # an empty file says that nobody runs
    )


def _text_of(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not UTF-8 (byte {error.start}); convert it first") from error
    if "\0" in text:  # psql would leave out the rest of its line without a word
        line = text[: text.index("\0")].count("\n") + 1
        raise UsageError(f"{file}:{line}: a NUL character is no SQL; take it out")
    return text


def options_of(invocation: Invocation) -> "Options":
    """Makes the options of a rehearsal.

    Args:
        invocation: with the arguments.

    Returns:
        The options, with the function and the statistics that were named.

    Raises:
        UsageError: a file, a function or the URL is wrong.
    """
    from kingpost.migrations.rehearsal.rehearse import Options  # noqa: PLC0415 - slow to import

    given = invocation.arguments
    try:
        url = None if given.server is None else check_url(with_driver(given.server))
        statistics = None if given.statistics is None else read_statistics(given.statistics)
    except (UrlError, StatisticsError) as error:
        raise UsageError(str(error)) from error
    if given.dump is not None and not given.dump.is_file():
        raise UsageError(f"{given.dump}: no such file; make it with pg_dump")
    return Options(
        rows=given.rows,
        major=given.postgres or 18,
        url=url,
        live=not given.no_live,
        old=given.old,
        service=not given.no_service,
        statistics=statistics,
        fill=None if given.fill is None else _function(invocation, given.fill),
        dump=given.dump,
    )


def _function(invocation: Invocation, name: str) -> Callable[..., Any]:
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise UsageError(f"--fill {name}: write it as module:function")
    sys.path.insert(0, str(invocation.project.source))
    try:
        found = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise UsageError(f"--fill {name}: {error}") from error
    except AttributeError as error:
        raise UsageError(f"--fill {name}: {module} has no {attribute}") from error
    if not callable(found):
        raise UsageError(f"--fill {name}: that is no function")
    function: Callable[..., Any] = found
    return function


def chosen_revisions(invocation: Invocation) -> list[str] | None:
    """Which revisions to rehearse.

    Args:
        invocation: with the arguments, and the settings that name the database.

    Returns:
        Those that were named, else those that the database of the settings has not got yet, in
        order; None for the newest one, if there are no such or nobody answers.

    Raises:
        UsageError: there is no such revision, or none in a range.
    """
    names: list[str] = invocation.arguments.revisions
    if chosen := _named(invocation, names) if names else _pending(invocation):
        return chosen
    print("nothing is known to be pending: the newest revision, and no other", file=sys.stderr)
    return None


def _named(invocation: Invocation, names: list[str]) -> list[str]:
    scripts = ScriptDirectory(str(invocation.project.migrations))
    try:
        found = [script.revision for script in choosing.named(scripts, names)]
    except AlembicError as error:
        raise UsageError(str(error)) from error
    if not found:
        raise UsageError(f"{' '.join(names)}: there is no revision in it, write a1b2..head")
    return found


def _pending(invocation: Invocation) -> list[str]:
    applied = applied_revisions(invocation)
    scripts = ScriptDirectory(str(invocation.project.migrations))
    known = {script.revision for script in choosing.in_order(scripts)}
    if not applied or not applied <= known:
        return []
    return [script.revision for script in choosing.pending(scripts, applied)]
