"""The probe sees what a change breaks, and nothing else."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection
from tests.kingpost.migrations.rehearsal.rows import count, filled, with_connection

from kingpost.migrations.rehearsal.probing import Probe
from kingpost.migrations.rehearsal.traffic import generated, parse
from kingpost.testing.databases import execute

SCHEMA = (
    "CREATE TABLE teams (id serial PRIMARY KEY, name varchar(50) NOT NULL UNIQUE)",
    (
        "CREATE TABLE people (id uuid PRIMARY KEY, team int REFERENCES teams, age int, note text,"
        " state text NOT NULL CHECK (state IN ('on', 'off')))"
    ),
    "CREATE VIEW active AS SELECT id FROM people WHERE state = 'on'",
)
HARMLESS = (
    "ALTER TABLE people ADD COLUMN x int NOT NULL DEFAULT 1",
    "CREATE INDEX ON people (age)",
    "ALTER TABLE people ADD CHECK (age < 2000000000) NOT VALID",
    "ALTER TABLE people ADD CHECK (age < 100) NOT VALID",  # which all rows keep
    "ALTER TABLE people ALTER COLUMN note SET NOT NULL",
    "ALTER TABLE teams DROP CONSTRAINT teams_name_key",
    "CREATE TABLE other (id int)",
)
BREAKING = {
    "ALTER TABLE people DROP COLUMN note": "42703",
    "ALTER TABLE people RENAME COLUMN age TO years": "42703",
    "ALTER TABLE teams RENAME TO groups": "42P01",
    "TRUNCATE people; ALTER TABLE people ADD COLUMN x int NOT NULL": "23502",
    "ALTER TABLE people ADD CHECK (age < 0) NOT VALID": "23514",
    "ALTER TABLE people ALTER COLUMN age TYPE date USING NULL": "42804",
    "DROP VIEW active": "42P01",
    "ALTER TABLE people ADD x int; ALTER TABLE people ADD CHECK (x IS NOT NULL) NOT VALID": "23514",
    "ALTER TABLE teams SET SCHEMA information_schema": "42P01",
}


@pytest.fixture
def url(empty_database_url: str) -> str:
    filled(empty_database_url, *SCHEMA, rows=30)
    return empty_database_url


def probe(url: str) -> Probe:
    return Probe(url, with_connection(url, generated))


def test_a_harmless_change_is_no_failure(url: str) -> None:
    with probe(url) as running:
        for change in HARMLESS:
            execute(url, change)
            assert running.check() == (), change


@pytest.mark.parametrize("change", BREAKING)
def test_a_breaking_change_shows_with_its_sqlstate(url: str, change: str) -> None:
    with probe(url) as running:
        execute(url, *change.split("; "))
        errors = running.check(undo=True)

    assert BREAKING[change] in {error.sqlstate for error in errors}
    lasting = [error for error in errors if error.sqlstate != "0A000"]
    assert all(e.undo and e.version == "old" and not e.heals and e.times == 2 for e in lasting)


def test_a_stale_plan_fails_once_and_heals(url: str) -> None:
    with probe(url) as running:
        execute(url, "ALTER TABLE teams ALTER COLUMN name TYPE varchar(100)")
        first, again = running.check(), running.check()

    assert [(e.sqlstate, e.heals, e.times) for e in first] == [("0A000", True, 1)] * 2
    assert "cached plan must not change result type" in first[0].message
    assert first[0].query.startswith("SELECT id, name FROM teams")
    assert again == ()


def test_nothing_is_left_behind_and_the_way_back_is_seen(url: str) -> None:
    def seen() -> list[object]:
        return [
            execute(url, "SELECT * FROM people ORDER BY id"),
            execute(url, "SELECT * FROM teams ORDER BY id"),
        ]

    before = seen()
    with probe(url) as running:
        execute(url, "ALTER TABLE people RENAME note TO remark")
        assert running.check()
        execute(url, "ALTER TABLE people RENAME remark TO note")
        assert running.check() == ()

    assert seen() == before


def test_what_failed_before_the_change_is_known(url: str) -> None:
    statements = parse("SELECT 1 / 0\nSELECT nothing\nSELEC\nCALL nobody()\nSHOW work_mem")
    with Probe(url, statements) as running:
        assert running.working == 1
        execute(url, "CREATE TABLE nothing (id int)")
        assert running.check() == ()


def test_a_statement_that_cannot_be_prepared_is_sent_as_it_is(url: str) -> None:
    execute(url, "CREATE PROCEDURE count_people() LANGUAGE sql AS 'SELECT count(*) FROM people'")
    with Probe(url, parse("CALL count_people()")) as running:
        assert running.working == 1
        execute(url, "DROP PROCEDURE count_people")
        (error,) = running.check()

    assert error.sqlstate == "42883"


def test_a_connection_that_the_change_ends_is_made_again(url: str) -> None:
    with probe(url) as running:
        execute(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        assert running.check() == ()
    assert count(url, "people") == 30


def test_a_lock_that_somebody_keeps_is_an_error_and_not_a_hanging_check(url: str) -> None:
    statements = parse("SET LOCAL lock_timeout = '50ms'\nSELECT count(*) FROM people")
    with Probe(url, statements) as running, holding(url, "LOCK TABLE people"):
        errors = running.check()

    assert [(e.sqlstate, e.times) for e in errors] == [("55P03", 2)]


@contextmanager
def holding(url: str, lock: str) -> Iterator[None]:
    """Holds a lock in another thread until the block is done."""
    ready, done = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        connection.exec_driver_sql(lock)
        ready.set()
        done.wait(60)

    holder = threading.Thread(target=with_connection, args=(url, hold))
    holder.start()
    try:
        assert ready.wait(60)
        yield
    finally:
        done.set()
        holder.join()


def test_a_default_that_a_version_relies_on_is_missed_when_it_goes(url: str) -> None:
    execute(url, "ALTER TABLE people ADD COLUMN made timestamptz NOT NULL DEFAULT now()")
    with probe(url) as running:
        execute(url, "ALTER TABLE people ALTER COLUMN made DROP DEFAULT")
        (error,) = running.check()

    assert error.sqlstate == "23502"
    assert error.query.startswith("INSERT INTO people")
