import asyncio
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alembic.util import CommandError
from sqlalchemy import event
from tests.kingpost.migrations.operations.support import Revisions, value
from tests.kingpost.support import Outside, until

from kingpost.migrations.operations import backfill, throttle
from kingpost.testing.databases import execute

TABLE = (
    "CREATE TABLE people (id int PRIMARY KEY, name text, lower text)",
    "INSERT INTO people SELECT n, 'Name ' || n FROM generate_series(1, 1000) n",
    "ANALYZE people",
)
FILL = 'op.backfill("people", {"lower": "lower(name)"}, batch_rows=100)'
LEFT = "SELECT count(*) FROM people WHERE lower IS DISTINCT FROM lower(name)"
STEPS = "SELECT count(*) FROM kingpost_migration_steps"


def test_all_rows_are_filled_and_the_journal_is_empty_afterwards(
    revisions: Revisions, empty_database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    execute(empty_database_url, *TABLE)
    revisions.add(FILL)

    with caplog.at_level(logging.INFO, "alembic.kingpost"):
        revisions.up(empty_database_url)

    assert value(empty_database_url, LEFT) == 0
    assert value(empty_database_url, STEPS) == 0
    assert "people: 1000 rows changed, 2000 of about 1000 looked at" in caplog.text


def test_it_is_done_again_after_a_downgrade(revisions: Revisions, empty_database_url: str) -> None:
    execute(empty_database_url, *TABLE)
    revisions.add(FILL, down=['op.execute("UPDATE people SET lower = NULL")'])
    revisions.up(empty_database_url)
    revisions.down(empty_database_url)

    revisions.up(empty_database_url)

    assert value(empty_database_url, LEFT) == 0


@pytest.mark.parametrize(
    "key", ["id uuid", "id text", "id timestamptz", "a int, b text", '"Odd key" bigint']
)
def test_any_primary_key_leads_through_the_table(
    revisions: Revisions, empty_database_url: str, key: str
) -> None:
    columns = [part.rpartition(" ")[0].strip() for part in key.split(",")]
    values = {
        "id uuid": "gen_random_uuid()",
        "id text": "md5(n::text)",
        "id timestamptz": "now() + n * interval '1 s'",
        "a int, b text": "n / 10, (n % 10)::text",
    }
    execute(
        empty_database_url,
        f"CREATE TABLE people ({key}, lower text, PRIMARY KEY ({', '.join(columns)}))",
        f"INSERT INTO people SELECT {values.get(key, 'n')} FROM generate_series(1, 500) n",  # noqa: S608 - the names of this test
    )
    revisions.add('op.backfill("people", {"lower": "\'x\'"}, batch_rows=33)')

    revisions.up(empty_database_url)

    assert value(empty_database_url, "SELECT count(*) FROM people WHERE lower = 'x'") == 500


def test_no_batch_reads_the_whole_table(revisions: Revisions, empty_database_url: str) -> None:
    execute(empty_database_url, *TABLE)
    revisions.add(FILL)
    scans = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'people'"
    execute(empty_database_url, "SELECT pg_stat_force_next_flush()")
    before = value(empty_database_url, scans)
    sizes: list[int] = []

    revisions.up(empty_database_url, kingpost_observe=lambda engine: _batches(engine, sizes))

    execute(empty_database_url, "SELECT pg_stat_force_next_flush()")
    assert value(empty_database_url, scans) == before
    assert sizes[:2] == [100, 200]  # rows that the batch looks at grow while it is fast
    assert all(size <= 1000 for size in sizes)


def _batches(engine: Any, sizes: list[int]) -> None:
    def after(_n: Any, _c: Any, _s: str, _p: Any, context: Any, _m: Any) -> None:
        if context and context.execution_options.get("kingpost_batch"):
            given = context.compiled_parameters[0]
            sizes.append(int(given["e0"]) - int(given.get("c0", 0)))

    event.listen(engine.sync_engine, "after_cursor_execute", after)


def test_what_is_inserted_behind_the_cursor_is_found(
    revisions: Revisions, empty_database_url: str
) -> None:
    execute(empty_database_url, *TABLE)
    revisions.add(FILL)
    insert = "INSERT INTO people SELECT n, 'Late' FROM generate_series(-9, 0) n"
    done: list[int] = []

    def meanwhile(engine: Any) -> None:
        def after(_n: Any, _c: Any, _s: str, _p: Any, context: Any, _m: Any) -> None:
            if context and context.execution_options.get("kingpost_batch"):
                done.append(1)
                if len(done) == 2:
                    execute(empty_database_url, insert)

        event.listen(engine.sync_engine, "after_cursor_execute", after)

    revisions.up(empty_database_url, kingpost_observe=meanwhile)

    assert value(empty_database_url, "SELECT count(*) FROM people") == 1010
    assert value(empty_database_url, LEFT) == 0


KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from kingpost.migrations import upgrade

done = []

def observe(engine):
    @event.listens_for(engine.sync_engine, "after_cursor_execute")
    def after(connection, cursor, sql, parameters, context, many):
        if context and context.execution_options.get("kingpost_batch"):
            done.append(1)
            if len(done) == 3:
                os.kill(os.getpid(), signal.SIGKILL)

upgrade(Path(sys.argv[1]), sys.argv[2], observe=observe)
"""


def test_a_killed_backfill_goes_on_after_its_last_batch(
    revisions: Revisions, empty_database_url: str
) -> None:
    execute(empty_database_url, *TABLE)
    revisions.add(FILL)
    command = [sys.executable, "-c", KILLED, str(revisions.folder), empty_database_url]
    assert subprocess.run(command, check=False).returncode == -9
    cursor = "SELECT (cursor ->> 0)::int FROM kingpost_migration_steps"
    assert value(empty_database_url, cursor) == 100 + 200 + 400
    assert value(empty_database_url, LEFT) == 300

    first: list[int] = []
    revisions.up(empty_database_url, kingpost_observe=lambda engine: _batches(engine, first))

    assert first[0] <= 100  # it did not begin anew
    assert value(empty_database_url, LEFT) == 0


async def test_a_row_that_somebody_holds_is_waited_for(
    revisions: Revisions, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(empty_database_url, *TABLE)
    revisions.add(FILL)
    monkeypatch.setitem(backfill._SETTINGS, "lock_timeout", "20ms")
    pauses: list[int] = []
    monkeypatch.setattr(throttle, "pause", lambda attempt: pauses.append(attempt) or 0.01)
    async with Outside(empty_database_url) as holder:
        await holder("BEGIN")
        await holder("UPDATE people SET name = 'HELD' WHERE id = 500")
        with ThreadPoolExecutor(1) as thread:
            filling = asyncio.wrap_future(thread.submit(revisions.up, empty_database_url))
            await until(lambda: len(pauses) > 2)
            await holder("COMMIT")
            await filling

    assert value(empty_database_url, LEFT) == 0


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (FILL.replace("batch_rows=100", "where='true'"), "1000 rows of people match true even"),
        (FILL.replace('"lower":', '"upper":'), "people has no column upper"),
        (FILL.replace('"people"', '"keyless"'), "keyless has no primary key"),
        (FILL.replace('"people"', '"nowhere"'), "nowhere has no column lower"),
    ],
)
def test_what_cannot_be_filled_is_said(
    revisions: Revisions, empty_database_url: str, operation: str, message: str
) -> None:
    execute(empty_database_url, *TABLE, "CREATE TABLE keyless (lower text, name text)")
    revisions.add(operation)

    with pytest.raises(CommandError, match=message):
        revisions.up(empty_database_url)


@pytest.mark.parametrize(
    ("rows", "seconds", "following"),
    [
        (1000, 0.1, 2000),
        (40_000, 0.1, 50_000),
        (1000, 0.3, 1000),
        (1000, 0.7, 500),
        (150, 9.0, 100),
    ],
)
def test_a_batch_grows_and_shrinks_with_the_time_it_takes(
    rows: int, seconds: float, following: int
) -> None:
    assert throttle.next_size(rows, seconds) == following


def test_a_slow_standby_is_waited_for(
    revisions: Revisions, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(empty_database_url, *TABLE, "CREATE TABLE lag (seconds float)")
    assert value(empty_database_url, throttle.LAG) is None  # it has no standby
    execute(empty_database_url, "INSERT INTO lag VALUES (9)")
    revisions.add(FILL)
    asked: list[float] = []

    def wait(database: Any, limit: float) -> float:
        query = "UPDATE lag SET seconds = seconds - 2 RETURNING seconds"
        asked.append(limit)
        return real(database, limit, query)

    real = throttle.wait_for_standbys
    monkeypatch.setattr(throttle, "wait_for_standbys", wait)
    monkeypatch.setattr(throttle, "_POLL_SECONDS", 0.001)
    revisions.up(empty_database_url)

    assert set(asked) == {5.0}
    assert value(empty_database_url, "SELECT seconds FROM lag") == 9 - 2 * (len(asked) + 1)


def test_without_a_database_the_whole_update_is_written(
    revisions: Revisions, empty_database_url: str
) -> None:
    revisions.add('op.backfill("people", {"lower": "\':x\'"}, "name::text <> \':y\'")')

    sql = revisions.sql(empty_database_url)

    assert (
        "COMMIT;\n\n-- in batches of 1000 rows, each committed:\n\n"
        "UPDATE people SET lower = ':x' WHERE (name::text <> ':y');\n\nBEGIN;"
    ) in sql
