"""A revision that others keep waiting gives up quickly, and comes back."""

import asyncio

import pytest
from sqlalchemy import text
from tests.kingpost.migrations.support import COLUMN, LEAVE, QUICK, Story
from tests.kingpost.support import until

from kingpost.migrations.errors import BlockedError, PartlyAppliedError, ResumableError
from kingpost.testing.databases import execute

ONLINE = 'op.create_index_online("one_id", "one", ["id"])'
INDEXES = "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'one'::regclass"


async def test_a_blocked_revision_lets_readers_pass_and_succeeds_in_the_end(story: Story) -> None:
    story.up()
    story.add(COLUMN)
    async with story.reader():
        migrating = await story.beside()
        await story.until_retried(2)
        for _ in range(10):  # queued behind a migration without a limit, they would be cancelled
            execute(story.url, "SET statement_timeout = '5s'", "SELECT * FROM one")
        assert not migrating.done()
    await migrating

    assert story.at() == ["r2"]
    assert story.columns() == ["id", "b"]


async def test_before_it_tries_again_it_tells_who_was_in_the_way(story: Story) -> None:
    story.limit(QUICK.replace("(0.05,)", "(0.5,)"))
    story.up()
    story.add(COLUMN)
    async with story.reader() as reader:
        pid = await reader.scalar(text("SELECT pg_backend_pid()"))
        migrating = await story.beside()
        await story.until_retried(1)
    await migrating

    assert story.retries()[0].startswith(
        f"r2 waited 0.5 s for a lock (attempt 1), held by pid {pid} (slow report), "
        "idle in transaction, transaction "
    )
    assert "s old: SELECT pg_backend_pid(); trying again in " in story.retries()[0]


async def test_attempts_come_to_an_end_and_the_last_has_its_limit_too(story: Story) -> None:
    story.limit(f"{QUICK.replace('(0.05,)', '(0.3,)')}, attempts=3")
    story.up()
    seen = story.folder / "seen"
    show = 'op.get_bind().exec_driver_sql("SHOW lock_timeout").scalar()'
    story.add(f"with open({str(seen)!r}, 'a') as f:\n    f.write({show} + ' ')", COLUMN)
    async with story.reader() as reader:
        pid = await reader.scalar(text("SELECT pg_backend_pid()"))
        with pytest.raises(BlockedError, match=rf"in 3 attempts .*nothing.*pid {pid} \(slow rep"):
            await asyncio.to_thread(story.up)

    assert seen.read_text().split() == ["300ms"] * 3
    assert (len(story.retries()), story.at(), story.columns()) == (2, ["r1"], ["id"])


async def test_patience_is_a_limit_too(story: Story) -> None:
    story.up()
    story.limit(f"{QUICK}, patience=0")
    story.add(COLUMN)
    async with story.reader():
        with pytest.raises(BlockedError, match="in 1 attempt "):
            await asyncio.to_thread(story.up)


async def test_a_deadlock_is_tried_again(story: Story) -> None:
    """Whoever waits last finds it: the migration goes on when the other waits for its table."""
    execute(story.url, "CREATE TABLE two (id int)")
    database = execute(story.url, "SELECT current_database()")[0][0]
    execute(story.url, f"ALTER DATABASE \"{database}\" SET deadlock_timeout = '20ms'")
    story.limit(QUICK.replace("(0.05,)", "(20,)"))
    story.up()
    waits = "SELECT FROM pg_locks WHERE relation = 'one'::regclass AND NOT granted"
    loop = f"DO 'BEGIN WHILE NOT EXISTS ({waits.replace(chr(39), chr(39) * 2)}) LOOP END LOOP; END'"
    story.add(
        'op.execute("LOCK TABLE one")',
        'if op.get_bind().exec_driver_sql("SELECT count(*) FROM pg_locks WHERE granted'
        " AND relation = 'two'::regclass\").scalar():",
        f'    op.execute("{loop}")',
        'op.execute("LOCK TABLE two")',
    )
    locked = "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"
    locked += " AND relation = 'one'::regclass"
    async with story.session() as other:
        await other.execute(text("SET deadlock_timeout = '600s'"))
        await other.execute(text("LOCK TABLE two"))
        migrating = await story.beside()
        await until(lambda: execute(story.url, locked))
        await other.execute(text("LOCK TABLE one"))
    await migrating

    assert story.at() == ["r2"]
    assert story.retries()[0].startswith("r2 was in a deadlock (attempt 1), held by ")


async def test_what_was_committed_on_the_way_is_not_done_twice(story: Story) -> None:
    story.up()
    story.add(
        'op.execute("CREATE TABLE two ()")',
        LEAVE,
        "    op.execute(\"CREATE TYPE mood AS ENUM ('sad')\")",
        COLUMN,
    )
    async with story.reader():
        with pytest.raises(
            PartlyAppliedError,
            match=r"r2 failed in the middle .*lock timeout.*`CREATE TYPE mood .*alembic stamp r2`",
        ):
            await asyncio.to_thread(story.up)

    assert (story.retries(), story.at()) == ([], ["r1"])
    assert execute(story.url, "SELECT to_regtype('mood')::text") == [("mood",)]


async def test_an_index_that_is_left_invalid_counts_as_done_in_part(story: Story) -> None:
    story.up()
    execute(story.url, "INSERT INTO one VALUES (1), (1)")
    story.add(LEAVE, '    op.execute("CREATE UNIQUE INDEX CONCURRENTLY u ON one (id)")')

    with pytest.raises(PartlyAppliedError, match="CREATE UNIQUE INDEX CONCURRENTLY"):
        story.up()


async def test_an_autocommit_block_in_which_nothing_was_done_is_tried_again(story: Story) -> None:
    story.up()
    story.add(LEAVE, '    op.execute("ALTER TABLE one ADD b int")')
    async with story.reader():
        migrating = await story.beside()
        await story.until_retried(1)
    await migrating

    assert story.columns() == ["id", "b"]


@pytest.mark.parametrize(
    ("marks", "first"),
    [
        ("repeatable = True", f'{LEAVE}\n    op.execute("CREATE TABLE IF NOT EXISTS three ()")'),
        ("", 'op.add_check_online("positive", "two", "id > 0")'),
    ],
    ids=["marked", "online"],
)
async def test_what_can_be_repeated_is_repeated(story: Story, marks: str, first: str) -> None:
    story.up()
    execute(story.url, "CREATE TABLE two (id int)")
    story.add(first, COLUMN, marks=marks)
    async with story.reader():
        migrating = await story.beside()
        await story.until_retried(2)
    await migrating

    assert (story.at(), story.columns()) == (["r2"], ["id", "b"])


async def test_an_online_operation_that_is_blocked_is_tried_again(story: Story) -> None:
    story.up()
    story.add('op.add_check_online("positive", "one", "id > 0")')
    async with story.reader():
        migrating = await story.beside()
        await story.until_retried(1)
    await migrating

    assert story.at() == ["r2"]


async def test_a_failure_after_an_online_part_is_resumed(story: Story) -> None:
    story.up()
    execute(story.url, "INSERT INTO one VALUES (1), (1)")
    story.add(ONLINE, 'op.create_unique_constraint("u", "one", ["id"])')

    with pytest.raises(ResumableError, match=r"revision r2 failed after a part .*could not create"):
        story.up()
    assert execute(story.url, INDEXES) == [("one_id",)]
    execute(story.url, "DELETE FROM one")
    story.up()

    assert story.at() == ["r2"]
    assert {name for (name,) in execute(story.url, INDEXES)} == {"one_id", "u"}


def test_a_failure_that_leaves_nothing_is_told_as_it_is(story: Story) -> None:
    story.add('op.execute("CREATE TABLE two ()")', 'op.execute("SELEC")')

    with pytest.raises(Exception, match="syntax error") as caught:
        story.up()

    assert caught.value.__notes__ == ["in revision r2, nothing of which stays"]
    assert story.at() == ["r1"]
    assert execute(story.url, "SELECT to_regclass('two')") == [(None,)]


def test_a_revision_tells_its_name_title_and_time(story: Story) -> None:
    story.up()

    (line,) = story.told
    assert line.startswith("r1  Step 1.  ")
    assert line.endswith(" s")


def test_a_commit_that_is_refused_leaves_nothing_and_says_so(story: Story) -> None:
    story.add(
        'op.execute("CREATE TABLE two (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")',
        'op.execute("INSERT INTO two VALUES (1), (1)")',
    )

    with pytest.raises(Exception, match="duplicate key") as caught:
        story.up()

    assert caught.value.__notes__ == ["in revision r2, nothing of which stays"]
    assert execute(story.url, "SELECT to_regclass('two')") == [(None,)]


def test_what_exists_already_may_come_from_a_run_that_was_killed(story: Story) -> None:
    execute(story.url, "CREATE TABLE two ()")
    story.add('op.execute("CREATE TABLE two ()")')

    with pytest.raises(Exception, match="already exists") as caught:
        story.up()

    assert "if it was killed in the middle before" in caught.value.__notes__[0]
