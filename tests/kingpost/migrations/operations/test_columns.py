import pytest
from alembic.util import CommandError
from tests.kingpost.migrations.operations.support import Revisions, dump, statements_of, value

from kingpost.embedded import EmbeddedPostgres
from kingpost.testing.databases import execute

TABLE = (
    "CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL)",
    "INSERT INTO people SELECT n, 'Name ' || n FROM generate_series(1, 300) n",
    "CREATE DOMAIN short AS text CHECK (length(VALUE) < 9)",
)
COLUMNS = {
    'sa.Column("x", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False)': (
        "uuid DEFAULT gen_random_uuid() NOT NULL"
    ),
    'sa.Column("x", sa.Float(), server_default=sa.text("random()"))': (
        "double precision DEFAULT random()"
    ),
    'sa.Column("x", sa.Text(), server_default="a:b%", nullable=False)': (
        "text DEFAULT 'a:b%' NOT NULL"
    ),
    'sa.Column("x", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False)': (
        "timestamptz DEFAULT now() NOT NULL"
    ),
    'sa.Column("x", sa.Text(), nullable=False), fill="lower(name)"': "text NOT NULL",
    'sa.Column("x", sa.Text(), server_default="z", nullable=False), fill="lower(name)"': (
        "text DEFAULT 'z' NOT NULL"
    ),
    'sa.Column("x", sa.Text())': "text",
}


@pytest.mark.parametrize("column", COLUMNS)
def test_the_column_is_as_the_plain_statement_makes_it(
    revisions: Revisions, postgres: EmbeddedPostgres, empty_database_url: str, column: str
) -> None:
    url = empty_database_url
    execute(url, *TABLE)
    revisions.add('op.backfill("people", {"name": "name"}, where="false")')
    revisions.up(url)
    execute(
        url, "ALTER TABLE people RENAME TO kept", "CREATE TABLE people (LIKE kept INCLUDING ALL)"
    )
    execute(url, f"ALTER TABLE people ADD COLUMN x {COLUMNS[column]}")
    expected = dump(postgres, url)
    execute(url, "DROP TABLE people", "CREATE TABLE people (LIKE kept INCLUDING ALL)")
    execute(url, "INSERT INTO people TABLE kept")
    revisions.add(f'op.add_column_online("people", {column})')
    file = value(url, "SELECT pg_relation_filenode('people')::bigint")

    for _ in range(2):
        revisions.up(url)
        assert dump(postgres, url) == expected
        revisions.forget(url)

    assert value(url, "SELECT pg_relation_filenode('people')::bigint") == file
    filled = "SELECT count(*) FROM people WHERE x IS NOT NULL"
    assert value(url, filled) == (0 if COLUMNS[column] == "text" else 300)
    if "fill" in column:
        assert value(url, "SELECT count(*) FROM people WHERE x = lower(name)") == 300


def test_a_constant_default_takes_one_statement(
    revisions: Revisions, empty_database_url: str
) -> None:
    execute(empty_database_url, *TABLE)
    revisions.add(
        'op.add_column_online("people",'
        ' sa.Column("x", sa.Integer(), server_default="7", nullable=False))'
    )
    sent: list[str] = []

    revisions.up(empty_database_url, kingpost_observe=lambda engine: statements_of(engine, sent))

    changes = [sql for sql in sent if "people" in sql]
    assert changes == ["ALTER TABLE people ADD COLUMN x INTEGER DEFAULT '7' NOT NULL"]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ('sa.Column("x", sa.Text(), unique=True)', "operations of their own"),
        ('sa.Column("x", sa.Integer(), sa.ForeignKey("people.id"))', "operations of their own"),
        ('sa.Column("x", sa.Integer(), sa.Identity())', "use a sequence"),
        ('sa.Column("x", sa.Text(), sa.Computed("name", persisted=True))', "make it virtual"),
        ('sa.Column("x", sa.Text(), nullable=False)', "with server_default or fill"),
    ],
)
def test_what_would_write_the_table_anew_is_refused(
    revisions: Revisions, empty_database_url: str, column: str, message: str
) -> None:
    execute(empty_database_url, *TABLE)
    revisions.add(f'op.add_column_online("people", {column})')

    with pytest.raises(CommandError, match=message):
        revisions.up(empty_database_url)


def test_without_a_database_a_volatile_default_is_added_in_steps(
    revisions: Revisions, empty_database_url: str
) -> None:
    volatile, constant = next(iter(COLUMNS)), list(COLUMNS)[3]
    revisions.add(
        f'op.add_column_online("people", {volatile})',
        f'op.add_column_online("other", {constant})',
    )

    sql = revisions.sql(empty_database_url)

    steps = ("ADD COLUMN x UUID, ALTER COLUMN x SET DEFAULT gen_random_uuid();", "UPDATE people")
    assert all(step in sql for step in (*steps, "ALTER TABLE people ALTER COLUMN x SET NOT NULL;"))
    assert "UPDATE other" not in sql
