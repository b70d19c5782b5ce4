"""What fails, what stays behind and what breaks the running version is put on its statement."""

import pytest
from tests.kingpost.migrations.rehearsal.rehearsed import SCHEMA, USES, only, rehearsed, verdicts

from kingpost.embedded import EmbeddedPostgres
from kingpost.migrations.rehearsal.verdicts import Verdict


def test_a_failure_that_leaves_nothing_is_an_error(postgres: EmbeddedPostgres) -> None:
    revision = rehearsed(
        postgres, "SET lock_timeout = '1s'; SELECT 1; ALTER TABLE nobody ADD x int; SELECT 2"
    )
    assert verdicts(revision) == ["safe", "safe", "error"]
    assert revision.statements[2].error == '42P01: relation "nobody" does not exist'
    assert revision.statements[2].place == "change.sql:1"
    assert revision.verdict is Verdict.ERROR


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE a (); ALTER TABLE nobody ADD x int",
        "CREATE UNIQUE INDEX CONCURRENTLY x ON people ((1))",
    ],
)
def test_a_failure_that_leaves_something_is_partial(
    postgres: EmbeddedPostgres, change: str
) -> None:
    revision = rehearsed(postgres, change)
    assert revision.statements[-1].verdict is revision.verdict is Verdict.PARTIAL


def test_one_transaction_leaves_nothing(postgres: EmbeddedPostgres) -> None:
    change = "CREATE TABLE a (); ALTER TABLE nobody ADD x int"
    assert rehearsed(postgres, change, single_transaction=True).verdict is Verdict.ERROR


def test_what_only_fails_at_commit_is_an_error(postgres: EmbeddedPostgres) -> None:
    change = "ALTER TABLE people ADD x int; INSERT INTO pets VALUES (1, -1)"
    pets = "CREATE TABLE pets (id int, a bigint REFERENCES people DEFERRABLE INITIALLY DEFERRED);"
    revision = rehearsed(postgres, change, schema=SCHEMA + pets, single_transaction=True)
    assert verdicts(revision) == ["brief-lock", "error"]
    assert str(revision.statements[1].error).startswith("23503: ")


def test_an_index_that_stays_invalid_is_partial_although_nothing_fails(
    postgres: EmbeddedPostgres,
) -> None:
    broken = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'people_email'::regclass;"
    revision = rehearsed(
        postgres,
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS people_email ON people (email)",
        schema=SCHEMA + broken,
    )
    assert revision.invalid == ("people_email",)
    assert only(revision).verdict is Verdict.PARTIAL


def test_constraints_that_are_not_validated_are_named(postgres: EmbeddedPostgres) -> None:
    revision = rehearsed(postgres, "ALTER TABLE people ADD CONSTRAINT c CHECK (age <> 7) NOT VALID")
    assert revision.unvalidated == ("people.c",)


def test_a_failure_for_nulls_and_edge_values_becomes_an_assumption(
    postgres: EmbeddedPostgres,
) -> None:
    revision = rehearsed(postgres, "ALTER TABLE people ALTER COLUMN age SET NOT NULL")
    assert "change.sql:1 fails with 23502" in revision.assumptions[0]
    assert revision.verdict is Verdict.UNSAFE_LOCK


def test_a_failure_for_rows_that_were_given_is_an_error(postgres: EmbeddedPostgres) -> None:
    revision = rehearsed(
        postgres,
        "ALTER TABLE people ALTER COLUMN age SET NOT NULL",
        schema="CREATE TABLE people (id int, age int)",
        data="INSERT INTO people VALUES (1, NULL)",
    )
    assert revision.verdict is Verdict.ERROR


def test_the_statement_is_blamed_that_took_away_what_is_used(postgres: EmbeddedPostgres) -> None:
    change = "BEGIN; ALTER TABLE people ADD x int; ALTER TABLE people DROP COLUMN note; COMMIT"
    revision = rehearsed(postgres, change, traffic=USES)
    assert verdicts(revision) == ["safe", "brief-lock", "breaks-app", "safe"]
    (error,) = revision.statements[2].errors
    assert (error.sqlstate, error.query, error.version) == ("42703", USES, "old")


def test_another_statement_of_the_transaction_is_not_blamed_for_it(
    postgres: EmbeddedPostgres,
) -> None:
    change = """BEGIN;
ALTER TABLE people DROP COLUMN note;
CREATE INDEX i ON people (age);
ALTER TABLE teams ALTER COLUMN name TYPE varchar(90);
COMMIT"""
    revision = rehearsed(postgres, change, every_column=True)
    told = [{error.sqlstate for error in it.errors} for it in revision.statements]

    assert told == [set(), {"42703"}, set(), {"0A000"}, set()]


def test_a_plan_that_is_made_anew_is_stale_and_no_more(postgres: EmbeddedPostgres) -> None:
    change = "ALTER TABLE people ALTER COLUMN email TYPE varchar(100)"
    statement = only(rehearsed(postgres, change, traffic=USES))
    assert statement.verdict is Verdict.STALE_PLANS
    assert [(error.sqlstate, error.heals) for error in statement.errors] == [("0A000", True)]


def test_what_failed_before_the_change_is_none_of_its_failures(postgres: EmbeddedPostgres) -> None:
    traffic = "\n".join(["SELECT nothing FROM people", USES])
    revision = rehearsed(postgres, "ALTER TABLE people ADD x int", traffic=traffic)
    assert revision.verdict is Verdict.BRIEF_LOCK


def test_without_traffic_it_is_said_that_nobody_tried(postgres: EmbeddedPostgres) -> None:
    revision = rehearsed(postgres, "ALTER TABLE people DROP COLUMN note")
    assert revision.verdict is Verdict.BRIEF_LOCK
    assert "no traffic of it was given" in revision.assumptions[0]
