"""`kingpost db check` and `wait`: for CI, and before an instance starts."""

import asyncio
import json

import pytest
from sqlalchemy import text
from tests.kingpost.cli.shell import ADD, Shell

from kingpost.migrations.engine import migration_engine
from kingpost.migrations.leftovers import leftovers
from kingpost.migrations.readiness import revision_check, wait_until_ready
from kingpost.testing.databases import execute

ROWS = "SELECT gen_random_uuid(), 'n', 'k', '{}' FROM generate_series(1, 2)"
LEFT = (
    f"INSERT INTO keys (id, name, key, scopes) {ROWS}",
    "ALTER TABLE keys ADD CONSTRAINT named CHECK (name <> '') NOT VALID",
)


def findings(db: Shell) -> list[str]:
    """The kinds and names of what `check` finds."""
    done = db("check", "--json")
    found = json.loads(done.out)
    assert found["ok"] == (done.code == 0) == (not found["findings"])
    return [f"{finding['kind']} {finding['name']}" for finding in found["findings"]]


def test_a_database_as_the_code_wants_it_passes(db: Shell) -> None:
    db("upgrade")
    done = db("check")

    assert (done.code, done.err) == (0, "")
    assert done.out == "The database is at a1, and as the models say.\n"
    assert findings(db) == []


def test_a_database_behind_the_code_has_an_exit_code_of_its_own(db: Shell) -> None:
    done = db("check")

    assert done.code == 7
    assert done.out == (
        "behind: a1: the database is at none, the code needs a1: run `kingpost db upgrade`\n"
    )


def test_a_database_that_newer_code_has_migrated_fails_and_is_not_behind(db: Shell) -> None:
    db("upgrade")
    execute(db.url, "UPDATE alembic_version SET version_num = 'z9'")

    assert findings(db) == ["ahead z9"]
    assert db("check").code == 1
    assert db("wait", "--timeout", "0").code == 0


def test_more_than_one_newest_revision_is_found(db: Shell) -> None:
    db.add("b2", "a1", "pass")
    db.add("c2", "a1", "pass")
    db("upgrade", "heads")

    assert findings(db) == ["heads b2, c2"]


def test_each_difference_from_the_models_is_found(db: Shell) -> None:
    db("upgrade")
    execute(db.url, "ALTER TABLE keys DROP COLUMN name", "CREATE TABLE stray ()")

    assert sorted(findings(db)) == ["drift keys.name", "drift stray"]


def test_what_a_migration_left_unfinished_is_found_with_its_cure(db: Shell) -> None:
    db("upgrade")
    execute(db.url, *LEFT)
    with pytest.raises(Exception, match="could not create unique index"):
        execute(db.url, "CREATE UNIQUE INDEX CONCURRENTLY twice ON keys (key)")

    told = db("check")

    assert told.code == 1
    assert "or DROP INDEX CONCURRENTLY twice" in told.out
    assert 'op.validate_constraint_online("named", "keys")' in told.out
    assert {"invalid twice", "unvalidated named"} <= set(findings(db))


async def test_a_constraint_that_is_not_meant_to_be_enforced_is_no_leftover(db: Shell) -> None:
    execute(db.url, "CREATE TABLE t (a int, CONSTRAINT hint CHECK (a > 0) NOT ENFORCED)")
    engine = migration_engine(db.url)

    assert await leftovers(engine) == []

    await engine.dispose()


async def test_leftovers_do_not_make_an_instance_unready(db: Shell) -> None:
    await asyncio.to_thread(db, "upgrade")
    execute(db.url, *LEFT)
    engine = migration_engine(db.url)

    await revision_check(engine, db.folder)()

    await engine.dispose()


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_database_that_is_away_is_told_with_the_setting_to_look_at(
    db: Shell, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    away = "postgresql+psycopg://postgres@/tiny?host=/nowhere"
    monkeypatch.setenv("TINY_DATABASE_URL", away)
    done = db("check", *form)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("kingpost: the database cannot be reached (")
    assert done.err.endswith("correct TINY_DATABASE_URL\n")


def test_waiting_for_a_database_that_stays_behind_ends(db: Shell) -> None:
    done = db("wait", "--timeout", "0")

    assert done.code == 7
    assert done.err == "waiting: the database is at revision none, the code needs a1\n"


def test_waiting_for_a_database_that_stays_away_ends(
    db: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = "postgresql+psycopg://postgres@/tiny?host=/nowhere"
    monkeypatch.setenv("TINY_DATABASE_URL", away)
    done = db("wait", "--timeout", "0")

    assert done.code == 7
    assert done.err.startswith("waiting: the database cannot be reached (")


async def test_waiting_ends_when_somebody_has_migrated(db: Shell) -> None:
    await asyncio.to_thread(db, "upgrade")
    db.add("b2", "a1", ADD)
    engine, told = migration_engine(db.url), asyncio.Event()
    waiting = asyncio.create_task(wait_until_ready(engine, db.folder, 60, lambda _: told.set()))
    await told.wait()
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'b2'"))

    assert await waiting
    await engine.dispose()
