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
