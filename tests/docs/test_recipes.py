"""Every recipe of docs/migrations.md changes the service's own tables without stopping anybody."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from alembic.script import ScriptDirectory
from tests.architecture.documents import blocks
from tests.architecture.source import ROOT

from kingpost.embedded import EmbeddedPostgres
from kingpost.migrations.lint.choosing import named
from kingpost.migrations.lint.linting import lint
from kingpost.migrations.rehearsal.rehearse import Options, rehearse_revisions
from kingpost.migrations.rehearsal.text import as_text
from kingpost.migrations.rehearsal.verdicts import Verdict
from kingpost.migrations.revisions import heads
from kingpost.migrations.runner import configuration
from kingpost.project import Project

PAGE = ROOT / "docs/migrations.md"
HEAD = (
    'import sqlalchemy as sa\nfrom alembic import op\n\nrevision = "{0}"\ndown_revision = "{1}"\n\n'
)
RECIPES = [block for block in blocks(PAGE) if "def upgrade" in block.code]


@dataclass(frozen=True)
class Recipes:
    """The service with all recipes as revisions, one after the other."""

    project: Project
    revisions: tuple[str, ...]


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Recipes:
    project = Project.find(ROOT)
    folder = tmp_path_factory.mktemp("recipes") / "migrations"
    shutil.copytree(project.migrations, folder)
    (parent,) = heads(folder)
    names = []
    for block in RECIPES:
        name = f"line_{block.line}"
        text = HEAD.format(name, parent) + block.code
        if "def downgrade" not in text:
            text += "\n\ndef downgrade() -> None:\n    pass\n"
        (folder / "versions" / f"{name}.py").write_text(text)
        names.append(name)
        parent = name
    return Recipes(replace(project, migrations=folder), tuple(names))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("server"), durable=False) as server:
        yield server


def test_no_recipe_has_a_finding(recipes: Recipes) -> None:
    config = configuration(recipes.project, "postgresql+asyncpg://nobody@localhost/none")
    scripts = ScriptDirectory.from_config(config)

    found = lint(config, scripts, named(scripts, list(recipes.revisions)))

    assert not found, "\n".join(f"{one.file}:{one.line}: {one.message}" for one in found)


@pytest.mark.parametrize("number", range(len(RECIPES)), ids=lambda n: RECIPES[n].where)
def test_a_recipe_stops_nobody(recipes: Recipes, server: EmbeddedPostgres, number: int) -> None:
    report = rehearse_revisions(
        recipes.project, [recipes.revisions[number]], Options(rows=500, live=False), server=server
    )

    assert report.accepted, as_text(report)


def test_a_recipe_that_stops_traffic_is_seen(recipes: Recipes, server: EmbeddedPostgres) -> None:
    file = recipes.project.migrations / "versions" / "bad.py"
    change = 'def upgrade() -> None:\n    op.create_index("ix_bad", "users", ["is_active"])\n'
    file.write_text(HEAD.format("bad", recipes.revisions[-1]) + change)

    report = rehearse_revisions(
        recipes.project, ["bad"], Options(rows=500, live=False), server=server
    )
    file.unlink()

    assert report.verdict is Verdict.UNSAFE_LOCK
