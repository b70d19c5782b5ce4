"""The short form gives each fault of the database one driver, in turn; the long one gives both."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.faults.fleet import Fleet, running_fleet

from kingpost.embedded import EmbeddedPostgres
from kingpost.project import Project
from kingpost.testing.databases import Databases


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--faults-long", action="store_true", help="every fault of the database on every driver"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without the option half of the cases go, so that the drivers take turns."""
    if config.getoption("--faults-long", default=False):
        return
    cases = [item for item in items if item.path.name == "test_database_faults.py"]
    drivers = list(dict.fromkeys(_driver(item) for item in cases))
    seen: dict[str, int] = {}
    skipped = []
    for item in cases:
        fault = item.nodeid.replace(_driver(item), "")
        turn = seen.setdefault(fault, len(seen)) % len(drivers)
        if _driver(item) != drivers[turn]:
            skipped.append(item)
    config.hook.pytest_deselected(items=skipped)
    items[:] = [item for item in items if item not in skipped]


def _driver(item: pytest.Item) -> str:
    return str(getattr(item, "callspec").params["driver"])  # noqa: B009 - mypy knows no callspec


@pytest.fixture
def fleet_environ(service_environ: Mapping[str, str]) -> Mapping[str, str]:
    """The settings of the processes of `fleet`; a test file may have its own."""
    return service_environ


@pytest.fixture
def fleet(
    project: Project,
    postgres: EmbeddedPostgres,
    databases: Databases,
    migrated_template: str,
    fleet_environ: Mapping[str, str],
    driver: Any,
    tmp_path: Path,
) -> Iterator[Fleet]:
    with running_fleet(
        project, postgres, databases, migrated_template, fleet_environ, driver, tmp_path
    ) as running:
        yield running
