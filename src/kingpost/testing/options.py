"""The options of the test kit, and running tests once per driver."""

import importlib.util
from argparse import ArgumentTypeError
from pathlib import Path

import pytest

DRIVERS = ("asyncpg", "psycopg")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options of the kit."""
    group = parser.getgroup("kingpost")
    group.addoption(
        "--kingpost-drivers",
        metavar="NAMES",
        type=_named,
        help="drivers to run database tests with, separated by commas (default: the installed)",
    )
    group.addoption(
        "--kingpost-folder",
        metavar="FOLDER",
        type=Path,
        help="where the test server lives (default: .kingpost/test in the root folder)",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs each test that depends on `driver` once per driver."""
    own = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize") if mark.args]
    if "driver" in metafunc.fixturenames and not any("driver" in names for names in own):
        metafunc.parametrize("driver", drivers(metafunc.config), indirect=True, scope="session")


def drivers(config: pytest.Config) -> list[str]:
    """The chosen drivers, or the installed ones.

    Without any, pytest would skip every test of the database and be green.
    """
    chosen: list[str] | None = config.getoption("--kingpost-drivers")
    found = chosen or [name for name in DRIVERS if importlib.util.find_spec(name)]
    if not found:
        raise pytest.UsageError("no driver: install kingpost[asyncpg] or kingpost[psycopg]")
    return found


def folder(config: pytest.Config) -> Path:
    """Where the test server has its data."""
    chosen: Path | None = config.getoption("--kingpost-folder")
    return chosen or config.rootpath / ".kingpost" / "test"


def _named(names: str) -> list[str]:
    chosen = [name.strip() for name in names.split(",")]
    if unknown := set(chosen).difference(DRIVERS):
        raise ArgumentTypeError(f"{', '.join(unknown)} is none of {', '.join(DRIVERS)}")
    return chosen
