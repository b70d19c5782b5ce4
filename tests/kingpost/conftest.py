from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from tests.kingpost.library import SCHEMA, AuditEntry, Base
from tests.kingpost.proxy import Proxy, proxied
from tests.kingpost.support import Counts, Open, Outside, Sql, until

from kingpost.database import Database, DatabaseOptions
from kingpost.embedded import EmbeddedPostgres
from kingpost.testing.databases import Databases, empty, execute


@pytest.fixture(scope="session")
def library_template(postgres: EmbeddedPostgres, databases: Databases) -> Iterator[str]:
    """The name of a database with the tables of `tests.kingpost.library`."""
    with databases.copy() as name:
        execute(postgres.url(name), *SCHEMA)
        yield name


@pytest.fixture(scope="session")
def shared_library(
    postgres: EmbeddedPostgres, databases: Databases, library_template: str, driver: Any
) -> Iterator[str]:
    with databases.copy(library_template) as name:
        yield postgres.url(name, driver)


@pytest.fixture
def library_url(shared_library: str) -> str:
    """The URL of the library without any rows, shared by the tests of this process."""
    empty(shared_library)
    return shared_library


@pytest.fixture
def own_library_url(
    postgres: EmbeddedPostgres, databases: Databases, library_template: str, driver: Any
) -> Iterator[str]:
    """The URL of a library for this test alone, which may change its schema."""
    with databases.copy(library_template) as name:
        yield postgres.url(name, driver)


@pytest.fixture
def counts() -> Counts:
    return Counts()


@pytest_asyncio.fixture
async def open_library(counts: Counts) -> AsyncIterator[Open]:
    """Opens databases: `open_library(url, pool_size=1)`. At the end none may hold a connection."""
    opened: list[Database] = []

    def open_one(url: str, **options: Any) -> Database:
        database = Database(
            DatabaseOptions(url, **options),
            metadata=Base.metadata,
            audit=AuditEntry,
            observer=counts,
        )
        opened.append(database)
        return database

    yield open_one
    for database in opened:
        await until(lambda database=database: database.pool_status().in_use == 0)
        await until(lambda database=database: database.direct_status().in_use == 0)
        await database.close()


@pytest.fixture
def library(open_library: Open, library_url: str) -> Database:
    """The library's database, without any rows."""
    return open_library(library_url)


@pytest_asyncio.fixture
async def sql(library_url: str) -> AsyncIterator[Sql]:
    """Runs SQL beside the code under test, on a connection of its own."""
    async with Outside(library_url) as run:
        yield run


@pytest_asyncio.fixture
async def proxy(library_url: str) -> AsyncIterator[Proxy]:
    """A proxy in front of the library's server."""
    async with proxied(library_url) as running:
        yield running
