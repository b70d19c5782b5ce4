"""`kingpost db upgrade` and its like, on a service with revisions of each phase."""

import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text
from tests.kingpost.cli.shell import ADD, CONTRACT, DROP, Done, Shell

from kingpost.cli.serve import check_revision
from kingpost.migrations.engine import migration_engine
from kingpost.migrations.lock import lock_key
from kingpost.project import Project
from kingpost.testing.databases import execute


@asynccontextmanager
async def busy_session(url: str, statement: str) -> AsyncIterator[None]:
    """Somebody who has executed a statement and does not end the transaction."""
    engine = migration_engine(url)
    async with engine.connect() as connection:
        await connection.execute(text(statement))
        yield
    await engine.dispose()


@pytest.fixture
def staged(db: Shell) -> Shell:
    """Expand, contract, expand after the first revision."""
    db.add("b2", "a1", ADD)
    db.add("c3", "b2", DROP, CONTRACT)
    return db


def test_upgrade_stops_before_a_contract_and_says_how_to_go_on(staged: Shell) -> None:
    first, again, word = staged("upgrade"), staged("upgrade"), staged("upgrade", "--contract")

    assert (first.code, again.code, word.code) == (0, 0, 0)
    assert [line.split("  ")[:2] for line in first.out.splitlines()] == [
        ["a1", "The table of keys."],
        ["b2", "Step b2."],
    ]
    assert first.err.startswith("Held back: c3.")
    assert "db upgrade --contract`" in first.err
    assert again.out == "There is nothing to do.\n"
    assert (word.err, staged.at()) == ("", "c3")


def test_a_target_beyond_a_contract_needs_the_word(staged: Shell) -> None:
    refused = staged("upgrade", "c3")

    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("kingpost: revision c3 takes away what the version before")
    assert execute(staged.url, "SELECT to_regclass('keys')") == [(None,)]
    assert staged("upgrade", "b2").code == 0
    assert staged("upgrade", "c3", "--contract").code == 0
    assert staged.at() == "c3"


@pytest.mark.parametrize("action", ["upgrade", "downgrade"])
@pytest.mark.parametrize("target", ["zz", "zz-1"])
def test_a_revision_that_nobody_knows_is_a_wrong_argument(
    db: Shell, action: str, target: str
) -> None:
    done = db(action, target)

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("kingpost: there is no revision zz here")
    assert "db history` lists them" in done.err
    assert done.err.count("\n") == 1


def test_steps_from_a_revision_lead_somewhere(staged: Shell) -> None:
    assert [staged("upgrade", name).code for name in ("a1+1", "+1")] == [0, 2]
    assert staged("downgrade", "b2-1").code == 0
    assert staged.at() == "a1"


def test_what_follows_a_contract_waits_for_it(staged: Shell) -> None:
    staged.add("d4", "c3", 'op.create_table("later")')

    assert staged("upgrade").err.startswith("Held back: c3, d4.")
    assert staged.at() == "b2"
    assert staged("wait", "--timeout", "0").code == 7


def test_the_code_runs_on_a_database_whose_contract_is_still_to_come(staged: Shell) -> None:
    staged("upgrade")

    assert staged("wait", "--timeout", "0") == Done(0, "", "")
    check_revision(Project.find(staged.root), staged.url)
    checked = staged("check")
    assert (checked.code, checked.out.partition(":")[0]) == (1, "contract")


def test_down_and_current_and_history(staged: Shell) -> None:
    staged("upgrade", "--contract")
    down = staged("downgrade", "-1")

    assert down.out.startswith("c3  reverted Step c3.  ")
    assert staged("current").out == "b2\n"
    assert json.loads(staged("current", "--json").out) == {
        "current": ["b2"],
        "heads": ["c3"],
        "at_head": False,
    }
    assert staged("history").out.splitlines()[1:] == [
        "c3        contract           Step c3.",
        "b2        expand    applied  Step b2.",
        "a1        expand    applied  The table of keys.",
    ]
    newest = json.loads(staged("history", "--json").out)[0]
    assert newest == {
        "revision": "c3",
        "parents": ["b2"],
        "title": "Step c3.",
        "phase": "contract",
        "applied": False,
        "head": True,
    }


def test_sql_is_that_of_what_is_to_come_and_changes_nothing(staged: Shell) -> None:
    staged("upgrade", "a1")
    up, down = staged("upgrade", "--sql"), staged("downgrade", "base", "--sql")

    assert "ADD COLUMN note" in up.out
    assert "CREATE TABLE" not in up.out
    assert "DROP COLUMN" not in up.out
    assert up.err.startswith("Held back: c3.")
    assert "DROP TABLE keys" in down.out
    assert staged.at() == "a1"


def test_a_failure_tells_the_revision_and_whether_something_is_applied(db: Shell) -> None:
    db.add("b2", "a1", 'op.execute("SELEC")')

    after = db("upgrade")
    alone = db("upgrade")

    assert (after.code, alone.code) == (3, 1)
    assert alone.err.startswith('kingpost: the database says: syntax error at or near "SELEC"')
    assert "(in revision b2, nothing of which stays)" in alone.err
    assert after.err.endswith("; applied before it: a1\n")
    assert alone.err.count("\n") == 1


def test_a_part_that_stays_has_its_own_exit_code(db: Shell) -> None:
    leave = "with op.get_context().autocommit_block():\n        "
    db.add("b2", "a1", f'{leave}op.execute("CREATE TABLE two ()")\n    op.execute("SELEC")')

    done = db("upgrade")

    assert (done.code, db.at()) == (6, "a1")
    assert "`CREATE TABLE two ()` stays" in done.err


async def test_locks_of_others_have_exit_codes_of_their_own(db: Shell) -> None:
    db.add("b2", "a1", ADD)
    async with busy_session(db.url, f"SELECT pg_advisory_lock({lock_key()})"):
        locked = db("upgrade", "--patience", "0")
    db("upgrade", "a1")
    async with busy_session(db.url, "SELECT * FROM keys"):
        blocked = db("upgrade", "--patience", "0")

    assert (locked.code, blocked.code, db.at()) == (4, 5, "a1")
    assert locked.err.startswith("kingpost: another migration has held the lock for 0 s")
    assert blocked.err.startswith("kingpost: revision b2 did not get its locks in 1 attempt")


@pytest.mark.parametrize("given", ["-1", "soon", "nan", "inf"])
def test_impossible_patience_is_refused(
    db: Shell, given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        db("upgrade", f"--patience={given}")

    assert ended.value.code == 2
    assert "seconds, 0 or more" in capsys.readouterr().err


def test_an_unknown_phase_is_one_line(db: Shell) -> None:
    db.add("b2", "a1", ADD, 'phase = "explode"')
    phase = db("upgrade")

    assert phase.err == (
        "kingpost: revision b2 has phase = 'explode': write one of expand, migrate, contract\n"
    )
    assert phase.code == 1


def test_ctrl_c_ends_a_migration_that_is_blocked(
    tiny: Any, db: Shell, until: Callable[..., None]
) -> None:
    """It is in the middle of a statement; nothing of the revision stays."""
    db.add("b2", "a1", 'op.execute("CREATE TABLE two AS SELECT pg_sleep(600)::text")')
    process = tiny.start("db", "upgrade", TINY_DATABASE_URL=db.url)
    busy = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'kingpost-migrate:b2'"
    busy += " AND wait_event = 'PgSleep' AND datname = current_database()"
    until(lambda: bool(execute(db.url, busy)))

    process.send_signal(signal.SIGINT)

    assert process.wait(60) == 130
    assert db.at() == "a1"
    until(lambda: not execute(db.url, busy))
