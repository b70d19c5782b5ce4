from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
import tests.kingpost.projection.relations  # noqa: F401 - its tables are made, too
from tests.kingpost.projection.columns import Base, create_tables
from tests.kingpost.support import Outside, Sql

from kingpost.database import Database, DatabaseOptions
from kingpost.embedded import EmbeddedPostgres
from kingpost.testing.databases import Databases, execute


@pytest.fixture(scope="session")
def columns_url(postgres: EmbeddedPostgres, databases: Databases, driver: Any) -> Iterator[str]:
    """A database with the tables of `columns`, whose sessions are far from UTC."""
    with databases.copy() as name:
        url = postgres.url(name, driver)
        execute(url, *create_tables(), f"ALTER DATABASE {name} SET TimeZone = 'Asia/Kathmandu'")
        yield url


@pytest_asyncio.fixture
async def columns(columns_url: str) -> AsyncIterator[Database]:
    opened = Database(DatabaseOptions(columns_url), metadata=Base.metadata)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def columns_sql(columns_url: str) -> AsyncIterator[Sql]:
    async with Outside(columns_url) as run:
        yield run
