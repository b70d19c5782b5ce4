"""The session of a revision: its limits, its name, its transaction."""

import asyncio
from typing import Any

import pytest
from alembic.util import CommandError
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.kingpost.migrations.support import COLUMN, LEAVE, Story

from kingpost.migrations.limits import Limits
from kingpost.testing.databases import execute

NAMES = (
    "lock_timeout",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
    "timezone",
    "application_name",
)
NOTE = 'op.execute("INSERT INTO seen SELECT name, setting FROM pg_settings WHERE name IN ({})")'


def test_the_limits_hold_before_in_and_after_an_autocommit_block(story: Story) -> None:
    names = ", ".join(f"'{name}'" for name in (*NAMES, "TimeZone"))
    note = NOTE.format(names)
    execute(story.url, "CREATE TABLE seen (name text, value text)")
    story.limit("lock_timeouts=(0.3,), statement_timeout=7, idle_timeout=9")
    story.add(note, LEAVE, f"    {note}", note)

    story.up()

    counted: Any = execute(story.url, "SELECT lower(name), value, count(*) FROM seen GROUP BY 1, 2")
    assert {tuple(row[:2]) for row in counted} == {
        ("lock_timeout", "300"),
        ("statement_timeout", "7000"),
        ("idle_in_transaction_session_timeout", "9000"),
        ("timezone", "UTC"),
        ("application_name", "kingpost-migrate:r2"),
    }
    assert {row[2] for row in counted} == {3}


def test_a_statement_that_takes_too_long_is_told_the_way_out(story: Story) -> None:
    story.add('op.execute("SELECT pg_sleep(60)")', marks="statement_timeout = 0.1")

    with pytest.raises(Exception, match="statement timeout") as caught:
        story.up()

    assert "a statement took too long; fill large tables with op.backfill" in "".join(
        caught.value.__notes__
    )


@pytest.mark.parametrize("mark", ["0", "'5 min'", "-1"])
def test_a_statement_timeout_is_a_positive_number(story: Story, mark: str) -> None:
    story.add(COLUMN, marks=f"statement_timeout = {mark}")

    with pytest.raises(CommandError, match=r"r2 has statement_timeout = .*: write seconds"):
        story.up()


@pytest.mark.parametrize(
    "wrong",
    [{"lock_timeouts": ()}, {"lock_timeouts": (0.1, 0)}, {"statement_timeout": 0}, {"attempts": 0}],
)
def test_no_limit_can_be_switched_off(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a migration"):
        Limits(**wrong)


def test_pauses_grow_up_to_a_bound_and_differ() -> None:
    limits = Limits(first_pause=1, longest_pause=3)

    assert [limits.pause(n, 0.5) for n in (1, 2, 3, 4, 400)] == [1, 1.5, 2.25, 3, 3]
    assert (limits.pause(1, 0), limits.pause(1, 1)) == (0.5, 1.5)
    assert [Limits((0.2, 0.3)).lock_timeout(n) for n in (1, 2, 99)] == [0.2, 0.3, 0.3]


async def test_a_connection_that_has_begun_by_itself_is_refused(story: Story) -> None:
    def begin(connection: Connection) -> None:
        connection.execute(text("SELECT 1"))

    def observe(engine: AsyncEngine) -> None:
        event.listen(engine.sync_engine, "engine_connect", begin)

    with pytest.raises(CommandError, match="connection for revision r1 has begun a"):
        await asyncio.to_thread(story.up, observe=observe)


async def test_an_observer_sees_what_the_revisions_do_and_not_what_the_runner_does(
    story: Story,
) -> None:
    seen: list[str] = []

    def note(_c: object, _u: object, sql: str, _p: object, context: object, _m: object) -> None:
        if not getattr(context, "execution_options", {}).get("kingpost_bookkeeping"):
            seen.append(" ".join(sql.split()))

    def observe(engine: AsyncEngine) -> None:
        event.listen(engine.sync_engine, "before_cursor_execute", note)

    await asyncio.to_thread(story.up, observe=observe)

    ours = [sql for sql in seen if "pg_catalog" not in sql and "alembic_version" not in sql]
    assert ours == ["CREATE TABLE one ( id INTEGER )"]


def test_an_enum_value_is_used_by_the_revision_after_the_one_that_adds_it(story: Story) -> None:
    story.add("op.execute(\"CREATE TYPE mood AS ENUM ('sad')\")")
    story.add("op.execute(\"ALTER TYPE mood ADD VALUE 'ok'\")")
    story.add("op.execute(\"CREATE TABLE felt AS SELECT 'ok'::mood AS mood\")")

    story.up()

    assert execute(story.url, "SELECT mood::text FROM felt") == [("ok",)]
