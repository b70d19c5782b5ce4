"""Many processes, one migration."""

import asyncio
from multiprocessing import get_context
from typing import Any

import pytest
from sqlalchemy import text
from tests.kingpost.migrations.support import COLUMN, LEAVE, QUICK, Story

from kingpost.migrations import upgrade
from kingpost.migrations.errors import MigrationLockError
from kingpost.migrations.lock import lock_key, migration_lock
from kingpost.testing.databases import execute

REPLICAS = {"asyncpg": 20, "psycopg": 5}  # starting them is what takes long
END_THE_LOCK = (
    'op.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity'
    " WHERE application_name = 'kingpost-migrate' AND datname = current_database()\")"
)


async def test_of_twenty_replicas_exactly_one_applies_also_an_index_built_concurrently(
    story: Story, driver: str
) -> None:
    story.limit("")
    story.add(
        'op.execute("INSERT INTO one VALUES (1)")', 'op.create_index_online("i", "one", ["id"])'
    )
    together: Any = get_context("forkserver")
    together.set_forkserver_preload(["kingpost.migrations.environment"])
    with together.Pool(REPLICAS[driver]) as pool:
        work = [(story.folder, story.url)] * REPLICAS[driver]
        await asyncio.to_thread(pool.starmap, upgrade, work, 1)

    assert story.at() == ["r2"]
    assert execute(story.url, "SELECT count(*) FROM one") == [(1,)]
    assert execute(story.url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass")


async def test_a_runner_that_waits_tells_for_whom(story: Story) -> None:
    async with story.session() as connection:
        await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": lock_key()})
        pid = await connection.scalar(text("SELECT pg_backend_pid()"))
        story.limit(f"{QUICK}, patience=0")
        with pytest.raises(MigrationLockError, match=f"wait for pid {pid} on the same machine"):
            await asyncio.to_thread(story.up)

    waiting = f"waiting for another migration (pid {pid} on the same machine"
    assert any(line.startswith(waiting) for line in story.told)


async def test_with_nothing_to_do_nobody_waits_for_the_lock(story: Story) -> None:
    story.up()
    async with story.session() as connection:
        await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": lock_key()})
        story.limit(f"{QUICK}, patience=0")
        await asyncio.to_thread(story.up)


@pytest.mark.parametrize("work", [[END_THE_LOCK], [END_THE_LOCK, "while True:", "    {nap}"]])
def test_when_the_lock_is_lost_nothing_more_is_done(story: Story, work: list[str]) -> None:
    nap = 'op.execute("SELECT pg_sleep(0.02)")'
    story.add(*(line.format(nap=nap) for line in work))
    story.add(COLUMN)

    with pytest.raises(MigrationLockError, match="held the migration lock is lost"):
        story.up()

    # whoever has nothing more to send may have committed before the loss is seen
    assert story.at() in ([["r1"]] if len(work) > 1 else [["r1"], ["r2"]])
    assert story.columns() == ["id"]


async def test_the_lock_is_free_after_a_failure(story: Story) -> None:
    story.add('op.execute("SELEC")')
    with pytest.raises(Exception, match="syntax error"):
        await asyncio.to_thread(story.up)

    async with story.session() as connection, migration_lock(connection.engine, patience=0) as held:
        await held.check()


def test_each_version_table_has_its_own_lock() -> None:
    assert lock_key("alembic_version") != lock_key("other_version")
    assert 0 < lock_key() < 2**63


@pytest.mark.parametrize("leave", [LEAVE, "if True:"])
def test_the_lock_is_held_while_a_revision_runs(story: Story, leave: str) -> None:
    execute(story.url, "CREATE TABLE seen (free bool)")
    query = f"INSERT INTO seen SELECT pg_try_advisory_lock({lock_key()})"
    story.add(leave, f'    op.execute("{query}")')
    story.up()

    assert execute(story.url, "SELECT free FROM seen") == [(False,)]
