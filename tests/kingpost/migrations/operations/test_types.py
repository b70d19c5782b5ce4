import pytest
from alembic.util import CommandError
from tests.kingpost.migrations.operations.support import Revisions, dump, tables, value

from kingpost.embedded import EmbeddedPostgres
from kingpost.testing.databases import execute

TABLE = (
    "CREATE TABLE groups (id bigint PRIMARY KEY)",
    "INSERT INTO groups SELECT generate_series(1, 5)",
    """CREATE TABLE people (id serial PRIMARY KEY, name text NOT NULL, age int NOT NULL DEFAULT 7
    CONSTRAINT grown CHECK (age > 0), group_id int CONSTRAINT of_group REFERENCES groups
    ON DELETE CASCADE, pair int CONSTRAINT uq_pair UNIQUE DEFERRABLE)""",
    "CREATE INDEX ix_age ON people (age, lower(name)) WHERE age > 3",
    "CREATE INDEX ix_twice ON people ((age * 2) DESC)",
    "CREATE INDEX ix_name ON people (name)",
    "COMMENT ON COLUMN people.age IS 'in years'",
    """INSERT INTO people (name, age, group_id, pair)
    SELECT 'Name ' || n, n, 1 + n % 5, n FROM generate_series(1, 200) n""",
)
COLUMNS = ("id", "age", "group_id", "pair")
CHANGE = 'op.change_type_online("people", "{}", sa.BigInteger())'
FINISH = 'op.finish_type_change("people", "{}")'


def _dump(server: EmbeddedPostgres, url: str) -> list[str]:
    """Sorted lines: the column is the last one afterwards."""
    return sorted(line.rstrip(",") for line in tables(dump(server, url)).splitlines())


@pytest.mark.parametrize("column", COLUMNS)
def test_everything_that_hung_on_the_column_is_there_again(
    revisions: Revisions, postgres: EmbeddedPostgres, empty_database_url: str, column: str
) -> None:
    _changes(revisions, postgres, empty_database_url, column)


@pytest.mark.parametrize("column", ["id", "age"])
def test_on_16_too(
    revisions: Revisions, postgres_16: EmbeddedPostgres, url_16: str, column: str
) -> None:
    _changes(revisions, postgres_16, url_16, column)


def _changes(revisions: Revisions, server: EmbeddedPostgres, url: str, column: str) -> None:
    execute(url, *TABLE, f"ALTER TABLE people ALTER {column} TYPE bigint")
    expected = _dump(server, url)
    execute(url, "DROP TABLE people, groups", *TABLE)
    digest = f"SELECT md5(string_agg({column}::text, ',' ORDER BY name)) FROM people"  # noqa: S608 - the names of this test
    before = value(url, digest)
    revisions.add(CHANGE.format(column), down=[f'op.undo_type_change("people", "{column}")'])
    revisions.add(FINISH.format(column))

    revisions.up(url, "r1")
    revisions.forget(url)
    revisions.up(url)

    assert _dump(server, url) == expected
    assert value(url, digest) == before


def test_an_undone_change_leaves_nothing(
    revisions: Revisions, postgres: EmbeddedPostgres, empty_database_url: str
) -> None:
    execute(empty_database_url, *TABLE)
    before = tables(dump(postgres, empty_database_url))
    revisions.add(CHANGE.format("age"), down=['op.undo_type_change("people", "age")'])
    revisions.up(empty_database_url)
    assert "kingpost_new_age" in dump(postgres, empty_database_url)

    revisions.down(empty_database_url)

    assert tables(dump(postgres, empty_database_url)) == before


def test_what_the_running_version_writes_is_in_both_columns(
    revisions: Revisions, empty_database_url: str
) -> None:
    execute(
        empty_database_url,
        "CREATE TABLE people (id serial PRIMARY KEY, name text, age int DEFAULT 7)",
        "INSERT INTO people (name) VALUES ('one'), ('two')",
    )
    revisions.add(
        'op.change_type_online("people", "age", sa.Text(), "\'age \' || people.age + id * 0")',
    )
    revisions.add(FINISH.format("age"))
    revisions.up(empty_database_url, "r1")

    execute(
        empty_database_url,
        "INSERT INTO people (name) VALUES ('new')",
        "UPDATE people SET age = 99 WHERE id = 2",
    )
    query = "SELECT kingpost_new_age FROM people WHERE {}"
    assert value(empty_database_url, query.format("name = 'new'")) == "age 7"
    assert value(empty_database_url, query.format("id = 2")) == "age 99"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("CREATE VIEW ages AS SELECT age FROM people", "on view ages"),
        (
            "CREATE TABLE other (pair int REFERENCES people (pair))",
            "constraint other_pair_fkey on table other",
        ),
        ("ALTER TABLE people ADD twice int GENERATED ALWAYS AS (age * 2) STORED", "column twice"),
    ],
)
def test_what_cannot_be_carried_over_is_named_before_anything_happens(
    revisions: Revisions, empty_database_url: str, extra: str, message: str
) -> None:
    execute(empty_database_url, *[sql.replace(" DEFERRABLE", "") for sql in TABLE], extra)
    revisions.add(CHANGE.format("pair" if "other" in extra else "age"))

    with pytest.raises(CommandError, match=message):
        revisions.up(empty_database_url)

    new = "SELECT count(*) FROM pg_attribute WHERE attname LIKE 'kingpost_new%'"
    assert value(empty_database_url, new) == 0


@pytest.mark.parametrize(
    ("meanwhile", "message"),
    [
        ("CREATE INDEX ix_late ON people (age)", "people has got ix_late meanwhile"),
        ("DROP INDEX kingpost_new_ix_age", "people has got ix_age meanwhile"),
        ("ALTER TABLE people DROP kingpost_new_age", "people.age has no successor"),
    ],
)
def test_a_swap_that_would_lose_something_is_refused(
    revisions: Revisions, empty_database_url: str, meanwhile: str, message: str
) -> None:
    execute(empty_database_url, *TABLE)
    revisions.add(CHANGE.format("age"))
    revisions.add(FINISH.format("age"))
    revisions.up(empty_database_url, "r1")
    execute(empty_database_url, meanwhile)

    with pytest.raises(CommandError, match=message):
        revisions.up(empty_database_url)


def test_a_type_that_does_not_suit_an_index_is_refused_before_anything_happens(
    revisions: Revisions, empty_database_url: str
) -> None:
    execute(empty_database_url, *TABLE)
    revisions.add('op.change_type_online("people", "age", sa.Text())')

    with pytest.raises(CommandError, match=r"people.age cannot become TEXT .* text > integer\)"):
        revisions.up(empty_database_url)

    new = "SELECT count(*) FROM pg_attribute WHERE attname LIKE 'kingpost_new%'"
    assert value(empty_database_url, new) == 0


def test_without_a_database_the_steps_are_written(
    revisions: Revisions, empty_database_url: str
) -> None:
    revisions.add(CHANGE.format("age"))
    revisions.add(FINISH.format("age"))

    sql = revisions.sql(empty_database_url)

    for part in (
        "ALTER TABLE people ADD COLUMN kingpost_new_age BIGINT;",
        "BEFORE INSERT OR UPDATE ON people",
        "UPDATE people SET kingpost_new_age = CAST(age AS BIGINT)",
        "ALTER TABLE people RENAME COLUMN kingpost_new_age TO age;",
    ):
        assert part in sql
