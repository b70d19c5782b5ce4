"""The short form gives each test one driver, in turn; the long one both, and makes a table."""

from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.faults.fleet import Fleet
from tests.faults.rig.report import Row, Rows, table, written
from tests.faults.rig.scene import Scene, scene
from tests.faults.rig.server import PostgresServer, postgres_server, short_folder

from kingpost.project import Project
from kingpost.testing.process import ServerProcess

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/reliability.md"
ROWS = pytest.StashKey[list[Row]]()
FAILED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--faults-long", action="store_true", help="every fault on every driver, and for longer"
    )
    parser.addoption(
        "--faults-write", action="store_true", help="the table of results goes to the documents"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ROWS] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without the option each test keeps one driver, so that the drivers take turns."""
    if _is_long(config):
        return
    cases = [item for item in items if HERE in item.path.parents and _driver(item)]
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    rows = config.stash[ROWS]
    if _is_long(config) and rows:
        terminalreporter.write_line(table(rows))
    if config.getoption("--faults-write", default=False):
        made = f"{datetime.now(UTC):%Y-%m-%d}. Command: `make faults ARGS=--faults-write`."
        PAGE.write_text(written(PAGE.read_text(), rows, made))


def _is_long(config: pytest.Config) -> bool:
    return bool(config.getoption("--faults-long", default=False))


def _driver(item: pytest.Item) -> str:
    call: Any = getattr(item, "callspec", None)  # mypy knows no callspec
    return str(call.params.get("driver", "")) if call else ""


def _sentence(test: str, driver: str) -> str:
    name, _, values = test.removeprefix("test_").partition("[")
    other = "-".join(value for value in values.rstrip("]").split("-") if value != driver)
    return name.replace("_", " ") + (f" ({other})" if other else "")


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[PostgresServer]:
    """For those who hurt it; a test that has stopped it has it started again by the next."""
    with short_folder() as folder, postgres_server(folder) as server:
        yield server


@pytest.fixture
def stage_settings() -> Mapping[str, str]:
    """Settings of the service of `stage`; a test file may have its own."""
    return {}


@pytest.fixture
def stage_environ() -> Mapping[str, str]:
    """Other environment variables of that service; a test file may have its own."""
    return {}


@pytest.fixture
def rows(request: pytest.FixtureRequest, driver: str) -> Rows:
    """The lines of this test in the table."""
    return Rows(_sentence(request.node.name, driver), driver, request.config.stash[ROWS])


@pytest.fixture
def stage(
    request: pytest.FixtureRequest,
    project: Project,
    own_postgres: PostgresServer,
    driver: str,
    tmp_path: Path,
    stage_settings: Mapping[str, str],
    stage_environ: Mapping[str, str],
    rows: Rows,
) -> Iterator[Scene]:
    """The service on a server that may be hurt; each run goes into the table.

    It lives from test to test, unless one fails: what heals has healed for the next one too.
    """
    key = (driver, *stage_settings.items(), *stage_environ.items())

    if own_postgres.pid() is None:
        own_postgres.start()
    made = own_postgres.guests.take(
        key,
        lambda: scene(project, own_postgres, driver, tmp_path, stage_settings, stage_environ),
    )
    made.judged, made.is_long = rows.run, _is_long(request.config)
    yield made
    made.proxy.calm()
    if request.node.stash.get(FAILED, False):
        own_postgres.guests.close()


@pytest.fixture
def is_long(pytestconfig: pytest.Config) -> bool:
    """Whether there is time to let a fault last."""
    return _is_long(pytestconfig)


@pytest.fixture
def fleet_settings() -> Mapping[str, object]:
    """Settings of the processes of `fleet`; a test file may have its own."""
    return {}


@pytest.fixture
def fleet(
    start_server: Callable[..., ServerProcess], fleet_settings: Mapping[str, object]
) -> Fleet:
    """Two processes on a database of their own."""
    first = start_server(**fleet_settings)

    def another() -> ServerProcess:
        return start_server(beside=first)

    return Fleet(another, [first, another()])
