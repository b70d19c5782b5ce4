"""The pytest plugin: fixtures for a service that is described in `[tool.kingpost]`.

    async def test_a_user_is_created(client, statements):
        with statements(at_most=3):
            answer = await client.post("/api/v1/users", json={"email": "ada@example.org"})
        assert answer.status_code == 201

Every test that touches the database runs once per installed driver (`--kingpost-drivers`), on a
real PostgreSQL built through the migrations, with nothing left over from the test before.
"""

# ruff: noqa: PLC0415 - pytest loads this file at every start, so each fixture imports its own

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from kingpost.testing.options import (
    drivers,
    folder,
    pytest_addoption,
    pytest_generate_tests,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    import httpx
    from fastapi import FastAPI
    from sqlalchemy.ext.asyncio import AsyncSession

    from kingpost.database import Database
    from kingpost.embedded import EmbeddedPostgres
    from kingpost.project import Project
    from kingpost.settings import ServiceSettings
    from kingpost.testing.databases import Databases
    from kingpost.testing.process import ServerProcess
    from kingpost.testing.rehearsal import Rehearse
    from kingpost.testing.statements import StatementBudget


__all__ = ["pytest_addoption", "pytest_generate_tests"]  # pytest finds them here


@pytest.fixture(scope="session")
def project(pytestconfig: pytest.Config) -> Project:
    """The project under test, from `[tool.kingpost]` of its `pyproject.toml`."""
    from kingpost.project import Project

    found = Project.find(pytestconfig.rootpath)
    sys.path.insert(0, str(found.source))  # its migrations import its models
    return found


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator[EmbeddedPostgres]:
    """A running PostgreSQL, shared by all processes that test this project; not durable."""
    from kingpost.embedded import EmbeddedPostgres

    with EmbeddedPostgres(folder(pytestconfig), durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def driver(request: pytest.FixtureRequest) -> str:
    """The driver that the test runs with: `asyncpg`, then `psycopg`."""
    return str(request.param)


@pytest.fixture(scope="session")
def databases(postgres: EmbeddedPostgres) -> Databases:
    """Makes databases on the test server and drops them."""
    from kingpost.testing.databases import Databases

    made = Databases(postgres)
    made.drop_abandoned()
    return made


@pytest.fixture(scope="session")
def migrated_template(
    project: Project, postgres: EmbeddedPostgres, databases: Databases, pytestconfig: pytest.Config
) -> str:
    """The name of the database with all migrations applied; others are copies of it."""
    from kingpost.migrations import upgrade

    first: Any = drivers(pytestconfig)[0]
    return databases.template(
        project.migrations, lambda name: upgrade(project, postgres.url(name, first))
    )


@pytest.fixture(scope="session")
def worker_database(
    postgres: EmbeddedPostgres, databases: Databases, migrated_template: str, driver: Any
) -> Iterator[str]:
    """The URL of the database of this process and driver, as the last test left it."""
    with databases.copy(migrated_template) as name:
        yield postgres.url(name, driver)


@pytest.fixture
def database_url(worker_database: str) -> str:
    """The URL of a migrated database without any rows."""
    from kingpost.testing.databases import empty

    empty(worker_database)
    return worker_database


@pytest.fixture
def empty_database_url(
    postgres: EmbeddedPostgres, databases: Databases, driver: Any
) -> Iterator[str]:
    """The URL of a new database without any tables, dropped after the test."""
    with databases.copy() as name:
        yield postgres.url(name, driver)


@pytest.fixture(scope="session")
def rehearsal(project: Project, postgres: EmbeddedPostgres) -> Rehearse:
    """Rehearses a revision: `assert_safe(rehearsal("a1b2"))`, or the newest one without a name."""
    from kingpost.testing.rehearsal import rehearse_with

    return rehearse_with(project, postgres)


@pytest.fixture(scope="session")
def service_environ(project: Project) -> Mapping[str, str]:
    """The settings of the service under test, as environment variables; override it to add some.

    The database is not among them, each fixture adds its own.
    """
    wanted = {
        "environment": "test",
        "secret": "only-for-tests-" * 3,
        "log_level": "warning",
        "auth_failures": "0",  # all tests share an address
    }
    return {
        f"{project.env_prefix}{name.upper()}": value
        for name, value in wanted.items()
        if name in project.settings_model.model_fields
    }


@pytest.fixture
def settings(
    project: Project, service_environ: Mapping[str, str], database_url: str
) -> ServiceSettings:
    """The service's settings, with the test's database."""
    from kingpost.testing.service import settings_for

    return settings_for(project, service_environ, database_url)


@pytest_asyncio.fixture
async def database(project: Project, settings: ServiceSettings) -> AsyncIterator[Database]:
    """The library's `Database` on the migrated, empty database."""
    from kingpost.testing.service import open_database

    opened = open_database(project, settings)
    try:
        yield opened
    finally:
        await opened.close()


@pytest_asyncio.fixture
async def session(database: Database) -> AsyncIterator[AsyncSession]:
    """A session whose work is rolled back after the test, even what the test commits."""
    from kingpost.testing.service import rolled_back

    async with rolled_back(database) as opened:
        yield opened


@pytest_asyncio.fixture
async def app(project: Project, settings: ServiceSettings) -> AsyncIterator[FastAPI]:
    """The service in this process, started, and stopped after the test."""
    from kingpost.testing.lifespan import running
    from kingpost.testing.service import close_what_is_open

    made = project.create_app(settings)
    async with running(made):
        yield made
    await close_what_is_open(made)


@pytest_asyncio.fixture
async def api_key(app: FastAPI) -> str | None:
    """An API key that may do everything; None for a service without keys."""
    from kingpost.testing.service import make_key

    return await make_key(app)


@pytest_asyncio.fixture
async def client(app: FastAPI, api_key: str | None) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the service in this process, with an API key."""
    from kingpost.testing.service import http_client

    async with http_client(app, api_key) as opened:
        yield opened


@pytest_asyncio.fixture
async def anonymous(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the service in this process, without an API key."""
    from kingpost.testing.service import http_client

    async with http_client(app, None) as opened:
        yield opened


@pytest.fixture
def statements() -> StatementBudget:
    """The query budget of a block: how many statements it has to send, or may send."""
    from kingpost.testing.statements import count_statements

    return count_statements


@pytest.fixture(scope="session")
def launch_server(
    project: Project,
    postgres: EmbeddedPostgres,
    databases: Databases,
    migrated_template: str,
    service_environ: Mapping[str, str],
    driver: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Any]:
    """Starts servers, as context managers; `server` and `start_server` are what tests ask for."""
    from kingpost.testing.servers import Servers

    return Servers(
        project,
        postgres,
        databases,
        migrated_template,
        service_environ,
        driver,
        tmp_path_factory,
    ).running


@pytest.fixture
def start_server(launch_server: Callable[..., Any]) -> Iterator[Callable[..., ServerProcess]]:
    """Starts a server for this test alone: `start_server(APP_REQUEST_TIMEOUT=2)`.

    None takes a setting away. Each call gives another process with another database, or with
    `beside=server` one more on the database of that one, with its key and its settings. At the
    end of the test they get SIGTERM and have to end with exit code 0, unless the test ended them.
    """
    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(launch_server(**changes))


@pytest.fixture(scope="session")
def shared_server(launch_server: Callable[..., Any]) -> Iterator[ServerProcess]:
    """The one server of this process and driver, started by the first test that needs it."""
    with launch_server() as started:
        yield started


@pytest.fixture
def server(shared_server: ServerProcess) -> ServerProcess:
    """A running `kingpost serve` with a database of its own, which tests share.

    Starting one takes a second, so that what a test leaves in it, the next one finds. A test
    that ends or disturbs the server asks for `start_server` instead.
    """
    return shared_server
