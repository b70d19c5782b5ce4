"""The verdict follows from locks and work, on any version, with any number of rows."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.kingpost.migrations.rehearsal.rehearsed import only, rehearsed, verdicts

from kingpost.embedded import EmbeddedPostgres
from kingpost.migrations.rehearsal.verdicts import Verdict

CHANGES = {
    "ALTER TABLE people ADD COLUMN x int NOT NULL DEFAULT 0": Verdict.BRIEF_LOCK,
    "ALTER TABLE people ALTER COLUMN email TYPE varchar(100)": Verdict.BRIEF_LOCK,
    "CREATE INDEX CONCURRENTLY people_age ON people (age)": Verdict.SAFE,
    'ALTER TABLE people ALTER COLUMN email TYPE text COLLATE "C"': Verdict.UNSAFE_LOCK,
    "ALTER TABLE people ALTER COLUMN age SET NOT NULL": Verdict.UNSAFE_LOCK,
    "CREATE INDEX x ON people (age)": Verdict.UNSAFE_LOCK,
    "ALTER TABLE people ALTER COLUMN age TYPE bigint": Verdict.UNSAFE_LOCK,
    "ALTER TABLE people ADD CHECK (age <> -7) NOT VALID": Verdict.BRIEF_LOCK,
    "VACUUM FULL people": Verdict.UNSAFE_LOCK,
    "VACUUM people": Verdict.SAFE,
    "REINDEX INDEX people_email": Verdict.UNSAFE_LOCK,
    "REINDEX INDEX CONCURRENTLY people_email": Verdict.SAFE,
    "UPDATE people SET age = 1": Verdict.UNSAFE_LOCK,
    "UPDATE people SET age = 1 WHERE id = 7": Verdict.SAFE,
    "CREATE TABLE pets (owner bigint REFERENCES people)": Verdict.BRIEF_LOCK,
    "CREATE TABLE copied AS TABLE people": Verdict.SAFE,
    "DO $$ BEGIN EXECUTE 'ALTER TABLE people ADD n bigserial'; END $$": Verdict.UNSAFE_LOCK,
    "LOCK TABLE people": Verdict.BRIEF_LOCK,
    "SELECT count(*) FROM people": Verdict.SAFE,
    "DROP INDEX x": Verdict.BRIEF_LOCK,
    "DROP INDEX CONCURRENTLY people_age": Verdict.SAFE,
    "TRUNCATE teams": Verdict.UNSAFE_LOCK,
    "DROP TABLE teams": Verdict.BRIEF_LOCK,
}


def found(server: EmbeddedPostgres, **options: Any) -> dict[str, Verdict]:
    """What is said of each of the changes, which run one after the other."""
    revision = rehearsed(server, ";".join(CHANGES), options=options)
    return {statement.sql: statement.verdict for statement in revision.statements}


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("old"), major=16, durable=False) as server:
        yield server


@pytest.mark.parametrize("rows", [300, 20_000])
def test_a_statement_is_as_bad_as_what_it_does_under_its_lock(
    postgres: EmbeddedPostgres, rows: int
) -> None:
    assert found(postgres, rows=rows) == CHANGES


def test_postgresql_16_gives_the_same_verdicts(older: EmbeddedPostgres) -> None:
    assert found(older) == CHANGES


def test_a_server_of_a_url_gives_the_same_verdicts_with_both_drivers(
    postgres: EmbeddedPostgres, driver: Any
) -> None:
    assert found(postgres, url=postgres.url("postgres", driver)) == CHANGES


def test_repeated_it_stays_the_same(postgres: EmbeddedPostgres) -> None:
    change = "BEGIN; ALTER TABLE teams ADD x int; UPDATE people SET age = 2; COMMIT"
    runs = [rehearsed(postgres, change).statements for _ in range(3)]
    assert runs[0][2].verdict is Verdict.UNSAFE_LOCK
    assert all(run == runs[0] for run in runs)


def test_work_under_the_lock_of_an_earlier_statement_is_unsafe(postgres: EmbeddedPostgres) -> None:
    revision = rehearsed(
        postgres,
        "BEGIN;\nALTER TABLE teams ADD x int;\nUPDATE people SET age = 2 WHERE age > 100;\nCOMMIT;",
    )
    assert verdicts(revision) == ["safe", "brief-lock", "unsafe-lock", "safe"]
    assert (
        "ACCESS EXCLUSIVE on teams, taken by the statement of change.sql:2,"
        in (revision.statements[2].reasons[0])
    )


def test_the_lock_is_gone_with_its_savepoint(postgres: EmbeddedPostgres) -> None:
    revision = rehearsed(
        postgres,
        "BEGIN; SAVEPOINT a; ALTER TABLE teams ADD x int; ROLLBACK TO a;"
        "SELECT count(*) FROM people; COMMIT",
    )
    assert verdicts(revision)[4] == "safe"


def test_it_is_told_what_was_locked_read_and_rewritten(postgres: EmbeddedPostgres) -> None:
    statement = only(rehearsed(postgres, "ALTER TABLE people ALTER COLUMN age TYPE bigint"))
    assert [(it.relation, it.mode, it.blocks) for it in statement.locks] == [
        ("people", "ACCESS EXCLUSIVE", "reads and writes")
    ]
    assert statement.tuples_scanned >= 300
    assert set(statement.rewritten) == {"people", "people_pkey", "people_email"}
    assert "rewrites people, 300 rows" in statement.reasons[0]
    assert "op.change_type_online" in statement.advice


def test_a_table_without_rows_is_said_not_to_have_shown_anything(
    postgres: EmbeddedPostgres,
) -> None:
    statement = only(
        rehearsed(
            postgres,
            "ALTER TABLE never ALTER COLUMN id TYPE bigint",
            schema="CREATE TABLE never (id int PRIMARY KEY CHECK (id < 0 AND id > 0))",
        )
    )
    assert statement.verdict is Verdict.BRIEF_LOCK
    assert "never had no rows here" in statement.reasons[1]
