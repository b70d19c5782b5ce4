"""Alembic as typed in the folder of a service, without any option."""

from typing import Any

import pytest

from kingpost.embedded import EmbeddedPostgres
from kingpost.embedded.process import running_pid


def test_alembic_migrates_the_embedded_database(tiny: Any) -> None:
    upgraded = tiny.run("upgrade", "head", program="alembic")
    current = tiny.run("current", program="alembic")

    assert upgraded.returncode == 0, upgraded.stderr
    assert "Running upgrade  -> a1" in upgraded.stderr
    assert current.stdout == "a1 (head)\n"
    assert running_pid(tiny.data / "data") is None


def test_alembic_autogenerates_what_the_models_have_and_the_database_has_not(tiny: Any) -> None:
    with EmbeddedPostgres(tiny.data, durable=False):
        tiny.run("upgrade", "head", program="alembic")
        tables = tiny.root / "src" / "tiny" / "tables.py"
        tables.write_text(tables.read_text() + 'Table("more", metadata, Column("a", Text))\n')
        (tiny.root / "src" / "tiny" / "migrations" / "script.py.mako").write_text(
            'revision = "${up_revision}"\ndown_revision = ${repr(down_revision)}\n\n'
            "def upgrade():\n    ${upgrades}\n"
        )
        done = tiny.run("revision", "--autogenerate", "-m", "more", program="alembic")

    assert done.returncode == 0, done.stderr
    (made,) = (tiny.root / "src" / "tiny" / "migrations" / "versions").glob("*_more.py")
    assert "create_table('more'" in made.read_text()


@pytest.mark.parametrize("name", ["TINY_PORT", "TINY_DATABASE_URL"])
def test_alembic_reads_the_settings_of_the_service(tiny: Any, name: str) -> None:
    done = tiny.run("upgrade", "head", program="alembic", env={name: "wrong"})

    assert done.returncode != 0
    assert f"FAILED: {name}: " in done.stdout
    assert "Traceback" not in done.stderr
    assert not tiny.data.exists()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_alembic_says_once_that_the_database_is_away(tiny: Any, driver: str) -> None:
    url = f"postgresql+{driver}://postgres@/tiny?host=/nowhere"

    done = tiny.run("upgrade", "head", program="alembic", env={"TINY_DATABASE_URL": url})

    told = done.stdout + done.stderr
    assert done.returncode != 0
    assert "FAILED: the database cannot be reached (" in told
    assert "): start it, or correct TINY_DATABASE_URL" in told
    assert told.count("cannot be reached") == 1
    assert "Traceback" not in told


def test_a_migration_that_fails_is_no_matter_of_the_url(tiny: Any) -> None:
    revision = tiny.root / "src" / "tiny" / "migrations" / "versions" / "a1_keys.py"
    text = revision.read_text().replace("keys.create(op.get_bind())", 'op.execute("SELEC")')
    revision.write_text(text)

    done = tiny.run("upgrade", "head", program="alembic")

    assert done.returncode != 0
    assert "cannot be reached" not in done.stdout + done.stderr
    assert "SELEC" in done.stderr
