"""The schema is what the revisions say, in both directions, and what the models expect."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from kingpost.embedded import EmbeddedPostgres
from kingpost.migrations import downgrade, upgrade
from kingpost.migrations.runner import configuration
from kingpost.project import Project

ROOT = Path(__file__).parents[2]
SCRIPTS = ScriptDirectory(str(ROOT / "src/app/migrations"))
REVISIONS = [script.revision for script in SCRIPTS.walk_revisions()][::-1]

Dump = Callable[[], str]


@pytest.fixture
def schema(postgres: EmbeddedPostgres, empty_database_url: str) -> Dump:
    """Dumps the schema; without a fixed key, two dumps of one schema differ."""
    location = empty_database_url.replace("+asyncpg", "").replace("+psycopg", "")

    def dump() -> str:
        options = ("--schema-only", "--no-owner", "--restrict-key=x", "--dbname")
        done = subprocess.run(
            [postgres.bin("pg_dump"), *options, location],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    return dump


def test_there_is_one_head() -> None:
    assert len(SCRIPTS.get_heads()) == 1


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_revision_goes_up_down_and_up_to_the_same_schema(
    project: Project, empty_database_url: str, schema: Dump, revision: str
) -> None:
    parent = SCRIPTS.get_revision(revision).down_revision or "base"
    upgrade(project, empty_database_url, str(parent) if parent != "base" else revision)
    if parent == "base":
        downgrade(project, empty_database_url, "base")
    before = schema()

    upgrade(project, empty_database_url, revision)
    after = schema()
    downgrade(project, empty_database_url, str(parent))
    assert schema() == before

    upgrade(project, empty_database_url, revision)
    assert schema() == after


def test_the_models_have_not_drifted(project: Project, empty_database_url: str) -> None:
    upgrade(project, empty_database_url)

    command.check(configuration(project, empty_database_url))


def test_alembic_works_as_it_is_typed(empty_database_url: str) -> None:
    environ = os.environ | {"APP_DATABASE_URL": empty_database_url}

    def alembic(*words: str) -> str:
        done = subprocess.run(
            ["alembic", *words], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    alembic("upgrade", "head")
    alembic("check")
    assert alembic("current").split() == alembic("heads").split()
    alembic("downgrade", "-1")
    alembic("upgrade", "head")
