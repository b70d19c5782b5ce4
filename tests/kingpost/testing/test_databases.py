from pathlib import Path

import pytest

from kingpost.embedded import EmbeddedPostgres
from kingpost.testing.databases import Databases, empty, execute, fingerprint

SCHEMA = (
    "CREATE TABLE alembic_version (version_num text)",
    "INSERT INTO alembic_version VALUES ('one')",
    "CREATE TABLE parent (id int PRIMARY KEY)",
    "CREATE TABLE child (id serial, parent_id int REFERENCES parent)",
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$",
    "CREATE TRIGGER keep BEFORE TRUNCATE ON child FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
)


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    (tmp_path / "one.py").write_text("revision = 'one'")
    return tmp_path


def test_the_template_is_built_once_and_found_again(
    postgres: EmbeddedPostgres, databases: Databases, migrations: Path
) -> None:
    built: list[str] = []

    first = databases.template(migrations, built.append)
    again = Databases(postgres).template(migrations, built.append)

    assert first == again
    assert len(built) == 1
    postgres.drop_database(first)


def test_another_migration_gives_another_template(migrations: Path) -> None:
    before = fingerprint(migrations)
    (migrations / "two.py").write_text("revision = 'two'")

    assert fingerprint(migrations) != before


def test_templates_of_older_migrations_are_dropped(tmp_path: Path, migrations: Path) -> None:
    with EmbeddedPostgres(tmp_path / "server", durable=False) as server:
        older = Databases(server).template(migrations, lambda _: None)
        (migrations / "two.py").write_text("revision = 'two'")
        newer = Databases(server).template(migrations, lambda _: None)

        assert server.databases() == {"postgres", newer}
        assert older != newer


def test_a_template_whose_migration_failed_is_never_used(
    postgres: EmbeddedPostgres, databases: Databases, migrations: Path
) -> None:
    def fail(name: str) -> None:
        raise LookupError(name)

    with pytest.raises(LookupError) as failure:
        databases.template(migrations, fail)

    assert str(failure.value).removesuffix("_building") not in postgres.databases()
    assert str(failure.value) in postgres.databases()
    postgres.drop_database(databases.template(migrations, lambda _: None))


def test_a_copy_has_what_the_template_has_and_goes_away(
    postgres: EmbeddedPostgres, databases: Databases, empty_database_url: str
) -> None:
    with databases.copy() as source:
        execute(postgres.url(source), "CREATE TABLE t AS SELECT 1 AS one")
        with databases.copy(source) as name:
            assert execute(postgres.url(name), "SELECT one FROM t") == [(1,)]

    assert name not in postgres.databases()
    assert execute(empty_database_url, "SELECT to_regclass('t')") == [(None,)]


def test_the_copy_of_a_killed_run_is_dropped_by_the_next(
    postgres: EmbeddedPostgres, databases: Databases
) -> None:
    postgres.create_database("test_999999999_1")  # above the largest process id of Linux
    databases.drop_abandoned()

    assert "test_999999999_1" not in postgres.databases()


def test_a_database_is_emptied_past_foreign_keys_and_append_only_triggers(
    empty_database_url: str,
) -> None:
    execute(empty_database_url, *SCHEMA, "INSERT INTO parent VALUES (1)")
    execute(empty_database_url, "INSERT INTO child (parent_id) VALUES (1)")

    empty(empty_database_url)

    counts = "SELECT (SELECT count(*) FROM parent), (SELECT count(*) FROM child)"
    assert execute(empty_database_url, counts) == [(0, 0)]
    assert execute(empty_database_url, "SELECT version_num FROM alembic_version") == [("one",)]


def test_the_trigger_guards_the_table_again_afterwards(empty_database_url: str) -> None:
    execute(empty_database_url, *SCHEMA)
    empty(empty_database_url)

    with pytest.raises(Exception, match="no"):
        execute(empty_database_url, "TRUNCATE child")


def test_a_percent_sign_means_itself(empty_database_url: str) -> None:
    assert execute(empty_database_url, "SELECT '100%s'") == [("100%s",)]
