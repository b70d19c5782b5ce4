import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kingpost.embedded import EmbeddedPostgres
from kingpost.embedded.process import running_pid


@pytest.fixture
def database(tiny: Any) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tiny.data, durable=False) as server:
        server.create_database("tiny")
        yield server


def test_wrong_settings_are_one_line_each_with_exit_code_2(tiny: Any) -> None:
    done = tiny.run("config", env={"TINY_PORT": "many", "TINY_HOSTT": "::1"})

    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert any(line.startswith("TINY_PORT: ") for line in lines)
    assert any("did you mean TINY_HOST?" in line for line in lines)


@pytest.mark.parametrize("command", [("serve",), ("db", "url")])
def test_a_database_url_without_an_async_driver_is_refused_with_the_right_one(
    tiny: Any, command: tuple[str, ...]
) -> None:
    done = tiny.run(*command, env={"TINY_DATABASE_URL": "postgresql://me:hush@localhost/x"})

    assert done.returncode == 2
    assert "postgresql+asyncpg://" in done.stderr
    assert "hush" not in done.stderr


def test_config_shows_values_and_origins_and_hides_secrets(tiny: Any) -> None:
    (tiny.root / ".env").write_text("TINY_GREETING=good day\n")
    url = "postgresql+asyncpg://me:hush@localhost/x"
    done = tiny.run("config", env={"TINY_DATABASE_URL": url, "TINY_SECRET": "canary" * 6})

    assert done.returncode == 0
    assert "hush" not in done.stdout
    assert "canary" not in done.stdout
    assert re.search(r"^TINY_SECRET +\(hidden\) +environment$", done.stdout, re.MULTILINE)
    assert re.search(r"^TINY_GREETING +good day +\.env$", done.stdout, re.MULTILINE)
    assert re.search(r"^TINY_PORT +8000 +default$", done.stdout, re.MULTILINE)


def test_outside_a_project_there_is_one_line(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").unlink()

    done = tiny.run("config")

    assert done.returncode == 1
    assert done.stderr.startswith("kingpost: no pyproject.toml")


def test_a_wrong_command_explains_itself_with_exit_code_2(tiny: Any) -> None:
    done = tiny.run("sing")

    assert done.returncode == 2
    assert "usage: kingpost" in done.stderr


def test_version_names_what_matters(tiny: Any) -> None:
    shown = tiny.run("version").stdout

    assert tiny.run("--version").stdout == shown
    assert re.match(r"kingpost \d+\.\d+\.\d+ \(Python 3\.\d+", shown)
    assert "sqlalchemy 2.1" in shown


def test_routes_lists_each_with_scope_and_name(tiny: Any) -> None:
    shown = tiny.run("routes").stdout

    assert re.search(r"^METHOD +PATH +SCOPE +NAME$", shown, re.MULTILINE)
    assert re.search(r"^GET +/items/\{item_id\} +- +get_item$", shown, re.MULTILINE)


def test_openapi_is_printed_or_written_and_needs_no_database(tiny: Any) -> None:
    printed = tiny.run("openapi").stdout
    tiny.run("openapi", "--output", "api.json")

    assert json.loads(printed)["paths"].keys() == {"/readyz", "/items/{item_id}"}
    assert (tiny.root / "api.json").read_text() == printed
    assert not tiny.data.exists()


def test_serve_needs_a_database(tiny: Any) -> None:
    done = tiny.run("serve")

    assert done.returncode == 2
    assert done.stderr == "TINY_DATABASE_URL: needed by `serve`\n"


def test_serve_refuses_a_database_at_another_revision_and_changes_nothing(
    tiny: Any, database: EmbeddedPostgres
) -> None:
    done = tiny.run("serve", env={"TINY_DATABASE_URL": database.url("tiny"), "TINY_PORT": "0"})

    assert done.returncode == 1
    assert done.stderr == (
        "kingpost: the database is at revision (none), this code needs a1: "
        "run `kingpost db upgrade`\n"
    )


def test_serve_says_in_one_line_that_the_database_is_away_and_what_to_do(tiny: Any) -> None:
    url = "postgresql+psycopg://postgres@/tiny?host=/nowhere"

    done = tiny.run("serve", env={"TINY_DATABASE_URL": url, "TINY_PORT": "0"})

    assert done.returncode == 1
    assert done.stderr.startswith("kingpost: the database cannot be reached (")
    assert done.stderr.endswith("): start it, or correct TINY_DATABASE_URL\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("database")
def test_keys_are_made_listed_rotated_and_revoked(tiny: Any) -> None:
    assert tiny.run("db", "reset", "--yes").returncode == 0
    made = tiny.run("keys", "create", "ci", "--scope", "a:read", "--scope=b", "--expires-in=9")
    secret = re.search(r"^key +(tiny_\w+)$", made.stdout, re.MULTILINE)
    key_id = re.search(r"^id +(\S+)$", made.stdout, re.MULTILINE)
    assert secret is not None
    assert key_id is not None

    rotated = tiny.run("keys", "rotate", key_id[1])
    revoked = tiny.run("keys", "revoke", key_id[1])
    listed = tiny.run("keys", "list").stdout

    assert "tiny_" in rotated.stdout
    assert revoked.stdout == f"revoked {key_id[1]}\n"
    assert secret[1] not in listed
    assert listed.count(" ci ") == 2
    assert re.search(rf"^{key_id[1]}  ci +a:read b  \S+ \S+  \S+ \S+  -", listed, re.MULTILINE)


@pytest.mark.usefixtures("database")
def test_a_scope_that_does_not_exist_is_named(tiny: Any) -> None:
    done = tiny.run("keys", "create", "ci", "--scope", "everything")

    assert done.returncode == 1
    assert done.stderr.endswith("/body/scopes/0: No such scope.\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("days", ["0", "3651", "-1", "soon", "1.5"])
def test_an_impossible_expiry_is_refused(tiny: Any, days: str) -> None:
    done = tiny.run("keys", "create", "ci", f"--expires-in={days}")

    assert done.returncode == 2
    assert done.stderr.endswith("argument --expires-in: 1 to 3650 days\n")


def test_a_key_without_scopes_is_refused_with_those_of_the_service(tiny: Any) -> None:
    done = tiny.run("keys", "create", "ci")

    assert done.returncode == 2
    assert done.stderr == (
        "kingpost: --scope is required; one of things:read, things:*, or a narrower one\n"
    )
    assert not tiny.data.exists()


def test_what_is_no_id_of_a_key_is_told_where_the_ids_are(tiny: Any) -> None:
    done = tiny.run("keys", "revoke", "ci")

    assert done.returncode == 2
    assert done.stderr.endswith("no id of a key; `kingpost keys list` has them\n")


def test_alone_it_lists_the_commands(tiny: Any) -> None:
    done = tiny.run()

    assert done.returncode == 2
    for command in ("dev", "serve", "db", "keys", "routes", "openapi", "config", "version"):
        assert re.search(rf"^ +{command} +\w", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("separator", [(), ("--",)])
def test_psql_speaks_to_the_embedded_database(tiny: Any, separator: tuple[str, ...]) -> None:
    done = tiny.run("db", "psql", *separator, "-XAtc", "SELECT current_database()")

    assert done.stdout == "tiny\n"
    assert running_pid(tiny.data / "data") is None


def test_the_url_is_the_given_one_or_that_of_the_embedded_server(tiny: Any) -> None:
    given = "postgresql+psycopg://me:pw@db.example:5433/x"

    assert tiny.run("db", "url", env={"TINY_DATABASE_URL": given}).stdout == given + "\n"
    assert tiny.run("db", "url").stdout.startswith("postgresql+asyncpg://postgres@/tiny?host=/")


def test_reset_asks_and_empties_the_embedded_database(
    tiny: Any, database: EmbeddedPostgres
) -> None:
    tiny.run("db", "reset", "--yes")
    tiny.run("keys", "create", "first", "--scope", "a")

    refused = tiny.run("db", "reset", stdin="no\n")
    assert refused.returncode == 1
    assert "first" in tiny.run("keys", "list").stdout
    confirmed = tiny.run("db", "reset", stdin="y\n")
    assert confirmed.returncode == 0
    assert "first" not in tiny.run("keys", "list").stdout
    foreign = tiny.run("db", "reset", "--yes", env={"TINY_DATABASE_URL": database.url("tiny")})
    assert foreign.returncode == 1
