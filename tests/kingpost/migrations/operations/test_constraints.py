from typing import Any

import pytest
from alembic.util import CommandError
from tests.kingpost.migrations.operations.support import Revisions, dump, statements_of, value

from kingpost.embedded import EmbeddedPostgres
from kingpost.testing.databases import execute

TABLE = (
    "CREATE TABLE groups (id int PRIMARY KEY)",
    "CREATE TABLE people (id int, name text, group_id int)",
    "INSERT INTO groups VALUES (1)",
    "INSERT INTO people SELECT n, 'name ' || n, 1 FROM generate_series(1, 100) n",
)
CHECK = 'op.add_check_online("ck_people_name", "people", "name <> \':x\'")'
VALIDATE = 'op.validate_constraint_online("ck_people_name", "people")'
KEY = (
    'op.add_foreign_key_online("fk_people_group", "people", "groups", ["group_id"], ["id"],'
    ' ondelete="CASCADE")'
)
VALIDATE_KEY = 'op.validate_constraint_online("fk_people_group", "people")'
IS_VALID = "SELECT convalidated FROM pg_constraint WHERE conname = '{}'"
UNIQUE = 'op.add_unique_online("uq_people_id", "people", ["id"])'
PRIMARY = 'op.add_unique_online("pk_people", "people", ["id"], primary_key=True)'
NOT_NULL = 'op.set_not_null_online("people", "name")'


@pytest.mark.parametrize(
    ("add", "validate", "name"),
    [(CHECK, VALIDATE, "ck_people_name"), (KEY, VALIDATE_KEY, "fk_people_group")],
)
def test_a_constraint_is_added_and_later_validated(
    revisions: Revisions, empty_database_url: str, add: str, validate: str, name: str
) -> None:
    execute(empty_database_url, *TABLE)
    revisions.add(add)
    revisions.up(empty_database_url)
    assert value(empty_database_url, IS_VALID.format(name)) is False

    revisions.add(add, validate)
    revisions.up(empty_database_url)
    assert value(empty_database_url, IS_VALID.format(name)) is True

    revisions.forget(empty_database_url)
    sent: list[str] = []
    revisions.up(empty_database_url, kingpost_observe=lambda engine: statements_of(engine, sent))
    assert not [sql for sql in sent if "ALTER TABLE" in sql]


@pytest.mark.parametrize(
    ("other", "add"),
    [
        ("CHECK (name <> 'y')", CHECK),
        ("FOREIGN KEY (group_id) REFERENCES groups ON DELETE RESTRICT", KEY),
        ("FOREIGN KEY (id) REFERENCES groups ON DELETE CASCADE", KEY),
        ("UNIQUE (id, name)", UNIQUE),
    ],
)
def test_another_constraint_of_that_name_is_not_touched(
    revisions: Revisions, empty_database_url: str, other: str, add: str
) -> None:
    execute(empty_database_url, *TABLE)
    name = add.split('"')[1]
    execute(
        empty_database_url,
        f"ALTER TABLE people ADD CONSTRAINT {name} {other} "
        + ("" if "UNIQUE" in other else "NOT VALID"),
    )
    revisions.add(add)

    with pytest.raises(CommandError, match=f"{name} on people exists as"):
        revisions.up(empty_database_url)


def test_validating_what_is_not_there_says_so(
    revisions: Revisions, empty_database_url: str
) -> None:
    execute(empty_database_url, *TABLE)
    revisions.add(VALIDATE)

    with pytest.raises(CommandError, match="people has no constraint ck_people_name"):
        revisions.up(empty_database_url)


PLAIN = {
    NOT_NULL: "ALTER TABLE people ALTER name SET NOT NULL",
    UNIQUE: "ALTER TABLE people ADD CONSTRAINT uq_people_id UNIQUE (id)",
    PRIMARY: "ALTER TABLE people ADD CONSTRAINT pk_people PRIMARY KEY (id)",
}


@pytest.mark.parametrize("operation", PLAIN)
def test_what_results_is_what_the_plain_statement_makes(
    revisions: Revisions, postgres: EmbeddedPostgres, empty_database_url: str, operation: str
) -> None:
    _same_as_plain(revisions, postgres, empty_database_url, operation)


@pytest.mark.parametrize("operation", [NOT_NULL, PRIMARY])
def test_on_16_the_result_is_the_same_too(
    revisions: Revisions, postgres_16: EmbeddedPostgres, url_16: str, operation: str
) -> None:
    _same_as_plain(revisions, postgres_16, url_16, operation)


def _same_as_plain(
    revisions: Revisions, server: EmbeddedPostgres, url: str, operation: str
) -> None:
    execute(url, *TABLE)
    revisions.add("pass")
    revisions.up(url)
    execute(url, "CREATE TABLE kept AS TABLE people", PLAIN[operation])
    expected = dump(server, url)
    execute(url, "DROP TABLE people", "ALTER TABLE kept RENAME TO people")
    execute(url, "CREATE TABLE kept AS TABLE people")

    revisions.add(operation)
    revisions.up(url)
    assert dump(server, url) == expected

    revisions.forget(url)
    revisions.up(url)
    assert dump(server, url) == expected


LOOKING = "SELECT sum(seq_tup_read)::bigint FROM pg_stat_xact_user_tables"


@pytest.mark.parametrize("step", ["SET NOT NULL", "ADD CONSTRAINT pk_people PRIMARY KEY USING"])
def test_on_16_no_row_is_looked_at_under_the_strong_lock(
    revisions: Revisions, url_16: str, step: str
) -> None:
    """The statement is repeated in a transaction of the test, where its work can be counted."""
    execute(url_16, *TABLE)
    revisions.add(NOT_NULL if "NULL" in step else PRIMARY)
    sent: list[str] = []
    seen: list[int] = []

    def observe(engine: Any) -> None:
        statements_of(engine, sent)
        _count(engine, step, seen)

    revisions.up(url_16, kingpost_observe=observe)

    assert [sql for sql in sent if step in sql]
    assert seen == [0]


def _count(engine: Any, step: str, seen: list[int]) -> None:
    from sqlalchemy import event

    def before(_connection: Any, cursor: Any, sql: str, *_: Any) -> None:
        if step in sql:
            run = cursor.execute
            fetch = cursor.fetchone
            run("BEGIN")
            run(LOOKING)
            earlier = fetch()[0]
            run(sql)
            run(LOOKING)
            seen.append(fetch()[0] - earlier)
            run("ROLLBACK")

    event.listen(engine.sync_engine, "before_cursor_execute", before)


def test_an_interrupted_not_null_goes_on_where_it_was(
    revisions: Revisions, postgres: EmbeddedPostgres, empty_database_url: str
) -> None:
    execute(empty_database_url, *TABLE, "UPDATE people SET name = NULL WHERE id = 7")
    revisions.add(NOT_NULL)
    with pytest.raises(Exception, match=r"contains null values|is violated by some row"):
        revisions.up(empty_database_url)

    execute(empty_database_url, "UPDATE people SET name = 'seven' WHERE id = 7")
    revisions.up(empty_database_url)

    assert "name text NOT NULL" in dump(postgres, empty_database_url)


def test_a_partitioned_table_is_made_not_null_partition_by_partition(
    revisions: Revisions, empty_database_url: str
) -> None:
    execute(
        empty_database_url,
        "CREATE TABLE people (id int, name text) PARTITION BY RANGE (id)",
        "CREATE TABLE young PARTITION OF people FOR VALUES FROM (0) TO (10)",
        "INSERT INTO people VALUES (1, 'x')",
    )
    revisions.add(NOT_NULL)
    revisions.up(empty_database_url)
    revisions.forget(empty_database_url)
    revisions.up(empty_database_url)

    count = "SELECT count(*) FROM pg_attribute WHERE attname = 'name' AND attnotnull"
    tables = " AND attrelid IN ('people'::regclass, 'young'::regclass)"
    assert value(empty_database_url, count + tables) == 2


def test_without_a_database_all_steps_are_written(
    revisions: Revisions, empty_database_url: str
) -> None:
    revisions.add(CHECK, VALIDATE, KEY, VALIDATE_KEY, UNIQUE, PRIMARY, NOT_NULL)

    sql = revisions.sql(empty_database_url)

    for part in (
        "ADD CONSTRAINT ck_people_name CHECK (name <> ':x') NOT VALID;",
        "VALIDATE CONSTRAINT ck_people_name;",
        "REFERENCES groups (id) ON DELETE CASCADE NOT VALID;",
        "CREATE UNIQUE INDEX CONCURRENTLY uq_people_id ON people (id);",
        "ADD CONSTRAINT uq_people_id UNIQUE USING INDEX uq_people_id;",
        "ALTER TABLE people ALTER COLUMN name SET NOT NULL;",
    ):
        assert part in sql
