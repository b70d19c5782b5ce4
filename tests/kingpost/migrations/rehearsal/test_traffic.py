"""Statements as a service would send them, from the catalog or from a file."""

from sqlalchemy import Connection
from tests.kingpost.library import SCHEMA
from tests.kingpost.migrations.rehearsal.rows import filled, with_connection
from tests.kingpost.migrations.rehearsal.test_filling import PARTITIONED

from kingpost.migrations import upgrade
from kingpost.migrations.rehearsal.filling import fill
from kingpost.migrations.rehearsal.traffic import TrafficStatement, generated, parse
from kingpost.project import Project
from kingpost.testing.databases import execute

ODD = (
    'CREATE SCHEMA "Odd One"',
    (
        'CREATE TABLE "Odd One"."Sel""ect" ("From %s :x" int GENERATED ALWAYS AS IDENTITY'
        " PRIMARY KEY, \"order\" text NOT NULL DEFAULT 'it''s')"
    ),
    "CREATE TABLE notes (n text, at timestamptz)",
    "CREATE TABLE profiles (author uuid PRIMARY KEY REFERENCES authors, bio text)",
    (
        "CREATE TABLE likes (author uuid REFERENCES authors, book uuid REFERENCES books,"
        " PRIMARY KEY (author, book))"
    ),
    "CREATE TABLE follows (a uuid REFERENCES authors, b uuid REFERENCES authors, CHECK (a <> b))",
    "ALTER TABLE follows ADD PRIMARY KEY (a, b)",
    "CREATE TABLE seen (id int PRIMARY KEY, event bigint, at timestamptz, kind text)",
    "ALTER TABLE seen ADD FOREIGN KEY (event, at, kind) REFERENCES events",
    "CREATE VIEW titles AS SELECT title FROM books",
)


def effect(connection: Connection, statements: tuple[TrafficStatement, ...]) -> list[int]:
    """How many rows each of the writes has changed."""
    return [
        connection.exec_driver_sql(one.sql, execution_options={"no_parameters": True}).rowcount
        for one in statements
        if one.kind == "write"
    ]


def test_every_statement_works_and_a_cycle_leaves_nothing_behind(
    project: Project, empty_database_url: str
) -> None:
    upgrade(project, empty_database_url)
    made = filled(empty_database_url, *SCHEMA, *PARTITIONED, *ODD, rows=40)
    assert made.failed == {}

    for worker in (0, 3):
        found = with_connection(empty_database_url, lambda c, w=worker: generated(c, worker=w))
        fine = tuple(one for one in found if not one.table.startswith("audit"))
        assert set(with_connection(empty_database_url, lambda c, f=fine: effect(c, f))) == {1}

    inserted = {one.table for one in found if one.sql.startswith("INSERT")}
    assert inserted >= {"follows", "seen", "likes", "events", "hashed", "notes"}
    tables = {one.table for one in found}
    assert tables >= {"users", "posts", "books", "events", 'Odd One.Sel"ect', "titles", "likes"}
    assert not tables & {"alembic_version", "january", "kingpost_migration_steps"}
    assert with_connection(empty_database_url, lambda c: fill(c, 40, edges=False)).tables == ()


def test_a_table_is_read_by_key_and_by_page_and_written_with_all_columns(
    empty_database_url: str,
) -> None:
    filled(
        empty_database_url,
        "CREATE TABLE t (id serial PRIMARY KEY, name varchar(9) NOT NULL, ok bool, f int,"
        " g int GENERATED ALWAYS AS (f + 1) STORED)",
    )

    found = with_connection(empty_database_url, lambda c: generated(c, worker=2))

    assert [one.sql for one in found] == [
        "SELECT id, name, ok, f, g FROM t WHERE id = 3",
        "SELECT id, name, ok, f, g FROM t ORDER BY id LIMIT 20",
        "INSERT INTO t (id, name, ok, f) VALUES (1000000002, '000000002', true, 1000000002)",
        "UPDATE t SET name = '000000002', ok = true, f = 1000000002 WHERE id = 1000000002",
        "DELETE FROM t WHERE id = 1000000002",
    ]


def test_rows_that_exist_are_never_deleted(empty_database_url: str) -> None:
    filled(
        empty_database_url,
        "CREATE TABLE flags (a bool, b bool, note text, PRIMARY KEY (a, b))",
    )

    found = with_connection(empty_database_url, generated)

    assert [one.sql.split()[0] for one in found] == ["SELECT", "SELECT", "UPDATE"]
    before = execute(empty_database_url, "SELECT * FROM flags ORDER BY a, b")
    with_connection(empty_database_url, lambda c: effect(c, found))
    assert execute(empty_database_url, "SELECT * FROM flags ORDER BY a, b") == before


def test_a_traffic_file_has_one_statement_a_line() -> None:
    text = """
        -- as of last week
        SELECT * FROM "a b".t WHERE x = 'y;z';
        UPDATE t SET x = 1

        WITH gone AS (DELETE FROM t RETURNING id) SELECT id FROM gone;
        with one as (select 1) select * from one
    """

    assert parse(text) == (
        TrafficStatement("SELECT * FROM \"a b\".t WHERE x = 'y;z'", '"a b".t', "read"),
        TrafficStatement("UPDATE t SET x = 1", "t", "write"),
        TrafficStatement(
            "WITH gone AS (DELETE FROM t RETURNING id) SELECT id FROM gone", "t", "write"
        ),
        TrafficStatement("with one as (select 1) select * from one", "one", "read"),
    )
