"""The entry point: parses the arguments, runs the command, turns failures into one line each."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def _install(missing: ModuleNotFoundError) -> str:
    return f"kingpost: {_package(missing)} is missing: pip install 'kingpost[cli]'"


def _package(missing: ModuleNotFoundError) -> str:
    return (missing.name or "").partition(".")[0]


try:
    from kingpost.cli.invocation import CommandError, Invocation, UsageError
    from kingpost.project import ProjectError
    from kingpost.settings import SettingsError
except ModuleNotFoundError as missing:  # the command comes with the library, its extra does not
    raise SystemExit(_install(missing)) from None

# What commands import besides; anything else that is missing is missing in the service.
_NEEDED = {"alembic", "dotenv", "fastapi", "httptools", "prometheus_client", "structlog", "uvicorn"}

# Which module has a command; only that one is imported, so that the light ones answer at once.
_MODULES = {
    "dev": "dev",
    "serve": "serve",
    "db": "db",
    "keys": "keys",
    "idempotency": "idempotency",
    "routes": "inspect",
    "openapi": "inspect",
    "config": "inspect",
    "version": "inspect",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        argv: the arguments; by default those of the process.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong arguments or settings; those of `db` are in
        docs/command-line.md.
    """
    given = _spelled_out(sys.argv[1:] if argv is None else list(argv))
    try:
        return _run(given)
    except ModuleNotFoundError as missing:
        if _package(missing) not in _NEEDED:
            raise
        print(_install(missing), file=sys.stderr)
        return 1


def _run(given: list[str]) -> int:
    if not given:
        _parser().print_help(sys.stderr)
        return 2
    try:
        arguments = _parser(given).parse_args(given)
        code: int = arguments.run(Invocation(arguments, os.environ, Path.cwd()))
        sys.stdout.flush()
    except SettingsError as error:
        print(*error.lines, sep="\n", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not isinstance(error, _expected()):
            raise
        print(f"kingpost: {_one_line(error)}", file=sys.stderr)
        return _exit_code(error)
    return code


def _spelled_out(given: list[str]) -> list[str]:
    """Allows `--version`, and `db psql -c …` without the `--` in front of what psql is to have."""
    if given == ["--version"]:
        return ["version"]
    passed_on = given[2:]
    if given[:2] == ["db", "psql"] and passed_on[:1] not in ([], ["--"], ["--help"]):
        return ["db", "psql", "--", *passed_on]
    return given


def _expected() -> tuple[type[Exception], ...]:
    """The failures that are no bug of ours; imported only when something has failed."""
    from alembic.util import CommandError as AlembicError  # noqa: PLC0415 - slow to import
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - slow to import

    from kingpost.database import UrlError  # noqa: PLC0415 - slow to import
    from kingpost.embedded import EmbeddedError  # noqa: PLC0415 - slow to import
    from kingpost.problems import Problem  # noqa: PLC0415 - slow to import
    from kingpost.server import BindError  # noqa: PLC0415 - slow to import
    from kingpost.server.workers import HandoverError, NoWorkerStarts  # noqa: PLC0415 - slow to import

    ours = (
        CommandError,
        ProjectError,
        EmbeddedError,
        BindError,
        HandoverError,
        NoWorkerStarts,
        UrlError,
        Problem,
    )
    return (*ours, AlembicError, SQLAlchemyError, OSError)


def _exit_code(error: Exception) -> int:
    if isinstance(error, UsageError):
        return 2
    code: int = getattr(error, "exit_code", 1)  # of a migration that has stopped
    return code


def _parser(given: Sequence[str] = ()) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kingpost", description="Runs and looks after the service of this folder."
    )
    parser.add_argument("--version", action="store_true", help="the same as the command version")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    wanted = _MODULES.get(given[0]) if given else None
    for name in [wanted] if wanted else dict.fromkeys(_MODULES.values()):
        importlib.import_module(f"kingpost.cli.{name}").add_commands(commands)
    return parser


def _one_line(error: Exception) -> str:
    cause = getattr(error, "orig", None)  # what the driver said, without SQLAlchemy's ornaments
    if cause is not None:
        return f"the database says: {' '.join(str(cause).split())}"
    problems = [f"{item.pointer}: {item.detail}" for item in getattr(error, "errors", ())]
    return " ".join([*str(error).split(), *problems]) or type(error).__name__
