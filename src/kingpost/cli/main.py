"""The entry point: parses the arguments, runs the command, turns failures into one line each."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from alembic.util import CommandError as AlembicError
from sqlalchemy.exc import SQLAlchemyError

from kingpost.cli import db, dev, inspect, keys, serve
from kingpost.cli.invocation import CommandError, Invocation
from kingpost.embedded import EmbeddedError
from kingpost.migrations.lock import MigrationLockError
from kingpost.problems import Problem
from kingpost.project import ProjectError
from kingpost.server import BindError
from kingpost.settings import SettingsError

_EXPECTED = (
    CommandError,
    ProjectError,
    EmbeddedError,
    BindError,
    MigrationLockError,
    AlembicError,
    Problem,
    SQLAlchemyError,
    OSError,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: the arguments; by default those of the process.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong arguments or settings.
    """
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(Invocation(arguments, os.environ, Path.cwd()))
    except SettingsError as error:
        print(*error.lines, sep="\n", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except _EXPECTED as error:
        print(f"kingpost: {_one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kingpost", description="Runs and looks after the service of this folder."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for group in (dev, serve, db, keys, inspect):
        group.add_commands(commands)
    return parser


def _one_line(error: Exception) -> str:
    if isinstance(error, SQLAlchemyError) and (cause := getattr(error, "orig", None)) is not None:
        return f"the database says: {' '.join(str(cause).split())}"
    return " ".join(str(error).split()) or type(error).__name__
