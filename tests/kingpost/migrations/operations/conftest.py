from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kingpost.migrations.operations.support import Revisions, database_of

import kingpost.migrations.operations  # noqa: F401 - registers them
from kingpost.embedded import EmbeddedPostgres


@pytest.fixture
def revisions(tmp_path: Path) -> Revisions:
    """A folder of revisions that is still empty."""
    return Revisions(tmp_path / "migrations")


@pytest.fixture(scope="session")
def postgres_16(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A running PostgreSQL 16."""
    folder = tmp_path_factory.mktemp("postgres16")
    with EmbeddedPostgres(folder, major=16, durable=False) as server:
        yield server


@pytest.fixture
def url_16(postgres_16: EmbeddedPostgres) -> Iterator[str]:
    """The URL of an empty database on PostgreSQL 16."""
    with database_of(postgres_16, "operations") as url:
        yield url
