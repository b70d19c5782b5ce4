import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.util import CommandError
from tests.kingpost.migrations.operations.support import Revisions, dump, tables, value
from tests.kingpost.support import Outside, until

from kingpost.embedded import EmbeddedPostgres
from kingpost.testing.databases import execute

TABLE = (
    "CREATE TABLE people (id int PRIMARY KEY, name text, age int)",
    "INSERT INTO people SELECT n, 'name ' || n, n % 50 FROM generate_series(1, 500) n",
)
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_people_name')"
OID = "SELECT to_regclass('ix_people_name')::oid::bigint"
BUILD = 'op.create_index_online("ix_people_name", "people", ["name"])'
UNIQUE = 'op.create_index_online("ix_people_name", "people", ["age"], unique=True)'


def test_an_index_is_built_and_dropped_again(revisions: Revisions, empty_database_url: str) -> None:
    execute(empty_database_url, *TABLE)
    revisions.add(BUILD, down=['op.drop_index_online("ix_people_name", "people")'])

    revisions.up(empty_database_url)
    assert value(empty_database_url, VALID) is True
    revisions.down(empty_database_url)
    assert value(empty_database_url, OID) is None
    revisions.up(empty_database_url)
    assert value(empty_database_url, VALID) is True


def test_a_valid_index_is_left_alone(revisions: Revisions, empty_database_url: str) -> None:
    execute(empty_database_url, *TABLE)
    revisions.add(
        'op.create_index_online("ix_people_name", "people", [sa.text("lower(name)"), "age"],'
        " postgresql_where=sa.text(\"name <> 'x:y'\"), postgresql_include=['id'])"
    )
    revisions.up(empty_database_url)
    before = value(empty_database_url, OID)

    revisions.forget(empty_database_url)
    revisions.up(empty_database_url)

    assert value(empty_database_url, OID) == before


def test_an_index_left_invalid_is_built_anew(revisions: Revisions, empty_database_url: str) -> None:
    execute(empty_database_url, *TABLE)
    with pytest.raises(Exception, match="could not create unique index"):
        execute(
            empty_database_url, "CREATE UNIQUE INDEX CONCURRENTLY ix_people_name ON people (age)"
        )
    assert value(empty_database_url, VALID) is False
    revisions.add(BUILD)

    revisions.up(empty_database_url)

    assert value(empty_database_url, VALID) is True


def test_duplicates_are_named_and_nothing_is_left_behind(
    revisions: Revisions, empty_database_url: str
) -> None:
    execute(empty_database_url, *TABLE)
    revisions.add(UNIQUE)

    with pytest.raises(CommandError, match=r"Key \(age\)=\(\d+\) is duplicated; remove"):
        revisions.up(empty_database_url)
    assert value(empty_database_url, OID) is None

    execute(empty_database_url, "DELETE FROM people WHERE id > 50")
    revisions.up(empty_database_url)
    assert value(empty_database_url, VALID) is True


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("CREATE INDEX ix_people_name ON people (age)", r"exists as USING btree \(age\), not as"),
        ("CREATE UNIQUE INDEX ix_people_name ON people (name)", "exists as UNIQUE USING btree"),
        ("CREATE TABLE ix_people_name ()", "is no index of people"),
    ],
)
def test_another_thing_of_that_name_is_not_touched(
    revisions: Revisions, empty_database_url: str, other: str, message: str
) -> None:
    execute(empty_database_url, *TABLE, other)
    revisions.add(BUILD)
    before = value(empty_database_url, OID)

    with pytest.raises(CommandError, match=message):
        revisions.up(empty_database_url)

    assert value(empty_database_url, OID) == before


def test_the_time_limits_of_the_session_come_back(
    revisions: Revisions, empty_database_url: str
) -> None:
    execute(empty_database_url, *TABLE)
    shown = "SELECT current_setting('lock_timeout') || current_setting('statement_timeout')"
    revisions.add(
        "op.execute(\"SET lock_timeout = '300ms'\")",
        "op.execute(\"SET statement_timeout = '7s'\")",
        BUILD,
        f'assert op.get_bind().scalar(sa.text("{shown}")) == "300ms7s"',
    )

    revisions.up(empty_database_url)

    assert value(empty_database_url, VALID) is True


def test_each_partition_gets_an_index_and_one_that_is_added_too(
    revisions: Revisions, postgres: EmbeddedPostgres, empty_database_url: str
) -> None:
    url = empty_database_url
    execute(
        url,
        "CREATE TABLE people (id int, name text) PARTITION BY RANGE (id)",
        "CREATE TABLE young PARTITION OF people FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE old PARTITION OF people FOR VALUES FROM (10) TO (90) PARTITION BY LIST (id)",
        "CREATE TABLE eldest PARTITION OF old DEFAULT",
        "INSERT INTO people SELECT n, 'x' FROM generate_series(1, 80) n",
    )
    revisions.add(BUILD, down=['op.drop_index_online("ix_people_name", "people")'])
    revisions.up(url)
    assert value(url, VALID) is True
    after = dump(postgres, url)

    execute(url, "DROP INDEX ix_people_name", "CREATE INDEX ix_people_name ON ONLY people (name)")
    assert value(url, VALID) is False
    revisions.forget(url)
    revisions.up(url)
    assert tables(dump(postgres, url)) == tables(after)

    execute(url, "CREATE TABLE late PARTITION OF people FOR VALUES FROM (90) TO (99)")
    assert value(url, "SELECT count(*) FROM pg_indexes WHERE tablename = 'late'") == 1
    revisions.down(url)
    assert value(url, "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%(name)'") == 0


async def test_writers_go_on_while_the_index_waits_for_an_old_transaction(
    revisions: Revisions, empty_database_url: str
) -> None:
    execute(empty_database_url, *TABLE)
    revisions.add("op.execute(\"SET lock_timeout = '100ms'\")", BUILD)
    waits = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%' AND wait_event = :w"
    async with Outside(empty_database_url) as old, Outside(empty_database_url) as other:
        await old("BEGIN")
        await old("UPDATE people SET age = 1 WHERE id = 1")
        with ThreadPoolExecutor(1) as thread:
            building = asyncio.wrap_future(thread.submit(revisions.up, empty_database_url))
            await until(lambda: other(waits, w="virtualxid"))
            await other("SET lock_timeout = '1ms'")
            await other("UPDATE people SET age = 2 WHERE id = 2")
            await other("SELECT count(*) FROM people")
            await old("COMMIT")
            await building

    assert value(empty_database_url, VALID) is True


def test_without_a_database_the_statement_stands_outside_of_a_transaction(
    revisions: Revisions, empty_database_url: str
) -> None:
    revisions.add(BUILD, 'op.drop_index_online("ix_people_name", "people")')

    sql = revisions.sql(empty_database_url)

    assert "COMMIT;\n\nCREATE INDEX CONCURRENTLY ix_people_name ON people (name);\n\nBEGIN;" in sql
    assert "COMMIT;\n\nDROP INDEX CONCURRENTLY ix_people_name;\n\nBEGIN;" in sql
