import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.util import CommandError
from sqlalchemy import text

from kingpost.migrations import downgrade, upgrade
from kingpost.migrations.engine import migration_engine
from kingpost.migrations.errors import MigrationLockError
from kingpost.migrations.lock import migration_lock
from kingpost.migrations.revisions import current, heads
from kingpost.migrations.runner import configuration


async def found(url: str) -> set[str]:
    engine = migration_engine(url)
    try:
        return await current(engine)
    finally:
        await engine.dispose()


async def rows(url: str) -> int:
    engine = migration_engine(url)
    async with engine.connect() as connection:
        count = await connection.scalar(text("SELECT count(*) FROM one"))
    await engine.dispose()
    return int(count or 0)


async def test_up_down_and_up_again(migrations: Path, empty_database_url: str) -> None:
    url = empty_database_url
    assert heads(migrations) == {"r2"}
    assert await found(url) == set()

    upgrade(migrations, url)
    assert await found(url) == {"r2"}
    downgrade(migrations, url, "-1")
    assert await found(url) == {"r1"}
    assert await rows(url) == 0
    downgrade(migrations, url, "base")
    assert await found(url) == set()
    upgrade(migrations, url)
    assert await rows(url) == 1


async def test_a_failing_revision_keeps_those_before_it(
    migrations: Path, empty_database_url: str
) -> None:
    second = migrations / "versions" / "r2.py"
    second.write_text(second.read_text().replace("VALUES (1)", "VALUES (1), (1)"))

    with pytest.raises(Exception, match="duplicate key"):
        upgrade(migrations, empty_database_url)

    assert await found(empty_database_url) == {"r1"}
    assert await rows(empty_database_url) == 0


async def test_a_migration_waits_for_the_lock_and_reading_does_not(
    migrations: Path, empty_database_url: str
) -> None:
    engine = migration_engine(empty_database_url)
    with ThreadPoolExecutor(1) as thread:
        async with migration_lock(engine):
            command.current(configuration(migrations, empty_database_url))
            waiting = thread.submit(upgrade, migrations, empty_database_url)
            await _until_somebody_waits(empty_database_url)
            assert not waiting.done()
            assert await found(empty_database_url) == set()
        await asyncio.wrap_future(waiting)
    await engine.dispose()

    assert await found(empty_database_url) == {"r2"}


async def _until_somebody_waits(url: str) -> None:
    engine = migration_engine(url)
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND query LIKE '%pg_try_advisory_lock%' AND pid <> pg_backend_pid()"
    )
    async with engine.connect() as connection:
        async with asyncio.timeout(60):
            while await connection.scalar(query) != 2:
                await connection.rollback()
                await asyncio.sleep(0.05)
    await engine.dispose()


async def test_patience_with_the_lock_ends(empty_database_url: str) -> None:
    engine = migration_engine(empty_database_url)
    async with migration_lock(engine):
        with pytest.raises(MigrationLockError, match="another migration has held the lock"):
            async with migration_lock(engine, patience=0):
                pytest.fail("two have the lock")
    async with migration_lock(engine, patience=0):
        pass
    await engine.dispose()


def test_check_finds_drift(migrations: Path, empty_database_url: str) -> None:
    upgrade(migrations, empty_database_url)
    config = configuration(migrations, empty_database_url)
    command.check(config)

    env = migrations / "env.py"
    env.write_text(
        env.read_text().replace("primary_key=True)", "primary_key=True), Column('b', Integer)")
    )

    with pytest.raises(CommandError, match="New upgrade operations detected"):
        command.check(config)


def test_sql_is_written_without_a_database(
    migrations: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configuration(migrations, "postgresql+asyncpg://nobody@localhost/none")
    command.upgrade(config, "head", sql=True)

    assert "CREATE TABLE one" in capsys.readouterr().out
