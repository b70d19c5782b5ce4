"""`kingpost db rehearse` on the revisions of a service."""

import json
from typing import Any

import pytest

from kingpost.embedded import EmbeddedPostgres

REVISION = """
from alembic import op

revision, down_revision = "{name}", "{parent}"
{marks}

def upgrade():
    print("noise of {name}")
    op.execute("{up}")

def downgrade():
    op.execute("{down}")
"""
COLUMN = "ALTER TABLE keys ADD COLUMN note text", "ALTER TABLE keys DROP COLUMN note"
INDEX = "CREATE INDEX ix_name ON keys (name)", "DROP INDEX ix_name"


def add(tiny: Any, name: str, parent: str, up: str, down: str, marks: str = "") -> None:
    file = tiny.root / "src/tiny/migrations/versions" / f"{name}.py"
    text = REVISION.format(name=name, parent=parent, marks=marks, up=up, down=down)
    file.write_text(text)


def rehearse(tiny: Any, postgres: EmbeddedPostgres, *arguments: str, **env: str) -> Any:
    url = postgres.url("postgres", "asyncpg")
    options = ("--server", url, "--rows", "50", "--no-live")
    return tiny.run("db", "rehearse", *options, *arguments, env=env)


@pytest.mark.parametrize("driver", ["psycopg"], indirect=True)
def test_what_the_database_has_not_got_yet_is_rehearsed(
    tiny: Any, postgres: EmbeddedPostgres, empty_database_url: str
) -> None:
    done = tiny.run(
        "upgrade", "head", program="alembic", env={"TINY_DATABASE_URL": empty_database_url}
    )
    assert done.returncode == 0, done.stderr
    add(tiny, "b2", "a1", *COLUMN)
    add(tiny, "c3", "b2", *INDEX)
    done = rehearse(tiny, postgres, "--json", TINY_DATABASE_URL=empty_database_url)
    document = json.loads(done.stdout)

    assert done.returncode == 15, done.stderr
    assert [it["name"] for it in document["revisions"]] == ["b2", "c3"]
    assert [it["verdict"] for it in document["revisions"]] == ["brief-lock", "unsafe-lock"]
    assert "noise of" not in done.stdout


def test_a_reason_in_the_revision_lets_it_pass(tiny: Any, postgres: EmbeddedPostgres) -> None:
    add(tiny, "b2", "a1", *INDEX, marks='rehearsal_reason = "there are ten keys"')
    done = rehearse(tiny, postgres, "b2")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("UNSAFE-LOCK: b2")
    assert "Accepted, since the revision says: there are ten keys" in done.stdout


def test_a_revision_that_does_not_exist_is_told_in_one_line(
    tiny: Any, postgres: EmbeddedPostgres
) -> None:
    done = rehearse(tiny, postgres, "zz")

    assert done.returncode == 2
    assert "zz" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_range_is_what_comes_after_its_beginning(tiny: Any, postgres: EmbeddedPostgres) -> None:
    add(tiny, "b2", "a1", *COLUMN)
    add(tiny, "c3", "b2", "CREATE TABLE pets (id int)", "DROP TABLE pets")
    done = rehearse(tiny, postgres, "a1..c3", "--json")

    assert [it["name"] for it in json.loads(done.stdout)["revisions"]] == ["b2", "c3"]
    assert rehearse(tiny, postgres, "c3..c3").returncode == 2
