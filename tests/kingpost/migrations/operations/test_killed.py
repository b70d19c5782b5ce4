import asyncio
import os
import signal
from typing import Any

import pytest
from tests.kingpost.migrations.operations.killing import killed_before, started
from tests.kingpost.migrations.operations.support import (
    EVERYTHING,
    FINISH,
    TABLES,
    Revisions,
    database_of,
    dump,
    statements_of,
    value,
)
from tests.kingpost.support import Outside, until

from kingpost.embedded import EmbeddedPostgres
from kingpost.migrations import upgrade
from kingpost.testing.databases import execute

STATEMENTS = 38
DRIVERS = ("asyncpg", "psycopg")
IN_ONE_TRANSACTION = range(30, 37)  # those of the swap: all of them or none


@pytest.fixture(scope="session")
def expected(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, list[str]]:
    """The schema after a run that nobody disturbs, and the statements of it."""
    revisions = _everything(tmp_path_factory.mktemp("expected") / "migrations")
    sent: list[str] = []
    with database_of(postgres, f"undisturbed_{os.getpid()}") as url:
        execute(url, *TABLES)
        upgrade(revisions.folder, url, observe=lambda engine: statements_of(engine, sent))
        return dump(postgres, url), sent


def _everything(folder: Any) -> Revisions:
    revisions = Revisions(folder)
    revisions.add(*EVERYTHING)
    revisions.add(FINISH)
    return revisions


def test_there_is_a_test_for_each_statement(expected: tuple[str, list[str]]) -> None:
    sent = expected[1]
    assert len(sent) == STATEMENTS
    assert sent[IN_ONE_TRANSACTION.start - 1].startswith("LOCK TABLE people")
    assert sent[IN_ONE_TRANSACTION.stop].startswith("UPDATE alembic_version")


@pytest.mark.parametrize("number", [n for n in range(STATEMENTS) if n not in IN_ONE_TRANSACTION])
def test_killed_before_any_statement_a_rerun_ends_in_the_same_schema(
    tmp_path: Any, postgres: EmbeddedPostgres, expected: tuple[str, list[str]], number: int
) -> None:
    """Each statement with one driver: which one makes no difference to that."""
    revisions = _everything(tmp_path / "migrations")
    with database_of(postgres, f"killed_{os.getpid()}", DRIVERS[number % 2]) as url:
        execute(url, *TABLES)
        assert killed_before(revisions.folder, url, number) == -signal.SIGKILL

        upgrade(revisions.folder, url)

        assert dump(postgres, url) == expected[0]
        assert value(url, "SELECT count(*) FROM kingpost_migration_steps") == 0


async def test_an_index_that_the_server_goes_on_building_is_waited_for(
    revisions: Revisions, empty_database_url: str
) -> None:
    url = empty_database_url
    execute(url, *TABLES)
    revisions.add(EVERYTHING[1])
    building = (
        "SELECT 1 FROM pg_stat_progress_create_index WHERE datname = current_database()"
        " AND command = 'CREATE INDEX CONCURRENTLY'"
    )
    asking = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
        " AND state = 'idle' AND query LIKE '%FROM pg_stat_progress_create_index%index_relid%'"
    )
    async with Outside(url) as old, Outside(url) as other:
        await old("BEGIN")
        await old("UPDATE people SET age = 5 WHERE id = 5")
        child = started(revisions.folder, url)
        await until(lambda: other(building), seconds=120)
        child.kill()
        child.join()
        again = asyncio.create_task(asyncio.to_thread(revisions.up, url))
        await until(lambda: other(asking), seconds=120)
        oid = "SELECT to_regclass('ix_people_name')::oid::bigint"
        before = value(url, oid)
        await old("COMMIT")
        await again

    assert value(url, oid) == before
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_people_name')"
    assert value(url, valid) is True
