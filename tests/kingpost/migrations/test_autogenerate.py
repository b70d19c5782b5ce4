import shutil
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from kingpost.migrations import upgrade
from kingpost.migrations.lint.linting import lint
from kingpost.migrations.runner import configuration
from kingpost.testing.databases import execute

ENVIRONMENT = """
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from kingpost.migrations import environment

metadata = sa.MetaData()
sa.Table("groups", metadata, sa.Column("id", sa.BigInteger, primary_key=True))
people = sa.Table(
    "people", metadata, sa.Column("id", sa.Integer, primary_key=True), {columns}
)
{more}
environment.run(metadata)
"""
TEMPLATE = (Path(__file__).parents[3] / "src/app/migrations/script.py.mako").read_text()
TABLES = (
    "CREATE TABLE groups (id bigint PRIMARY KEY)",
    "CREATE TABLE people (id serial PRIMARY KEY, name varchar(50), age int NOT NULL)",
    "INSERT INTO groups VALUES (1)",
    "INSERT INTO people (name, age) SELECT 'name ' || n, n FROM generate_series(1, 50) n",
)
NAME = 'sa.Column("name", sa.String(50))'
AGE = 'sa.Column("age", sa.Integer, nullable=False)'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "migrations"
    (made / "versions").mkdir(parents=True)
    (made / "script.py.mako").write_text(TEMPLATE)
    return made


def _generate(folder: Path, url: str, *columns: str, more: str = "") -> list[str]:
    """The new revisions, in their order."""
    env = ENVIRONMENT.format(columns=", ".join(columns), more=more)
    (folder / "env.py").write_text(env)
    # Python would take one of the same size and second for unchanged.
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    known = set((folder / "versions").iterdir())
    command.revision(configuration(folder, url), message="Change it", autogenerate=True)
    made = [path for path in set((folder / "versions").iterdir()) - known if path.suffix == ".py"]
    texts = {path.read_text().split('"""')[1].split()[-1]: path.read_text() for path in made}
    return [texts[key] for key in sorted(texts, key=lambda key: _depth(key, texts))]


def _depth(follows: str, texts: dict[str, str]) -> int:
    parents = {text.split("Revision: ")[1].split()[0]: key for key, text in texts.items()}
    return 1 + _depth(parents[follows], texts) if follows in parents else 0


EXPECTED = {
    (NAME, AGE, 'sa.Index("ix_name", "name", unique=True)'): [
        "op.create_index_online('ix_name', 'people', ['name'], unique=True)",
        "op.drop_index_online('ix_name', 'people')",
    ],
    (NAME, AGE, 'sa.UniqueConstraint("name", name="uq_name")'): [
        "op.add_unique_online('uq_name', 'people', ['name'])",
        "op.drop_constraint('uq_name', 'people', type_='unique')",
    ],
    (NAME, AGE, 'sa.Column("group_id", sa.ForeignKey("groups.id", name="fk_group"))'): [
        "op.add_column_online('people', sa.Column('group_id', sa.BigInteger(), nullable=True))",
        "op.add_foreign_key_online('fk_group', 'people', 'groups', ['group_id'], ['id'])",
        "op.validate_constraint_online('fk_group', 'people')",
        "op.drop_column('people', 'group_id')",
    ],
    (NAME.replace("50)", "50), nullable=False"), AGE): [
        "op.set_not_null_online('people', 'name')",
        "nullable=True)",
    ],
    (NAME.replace("50", "99"), AGE): [
        "op.alter_column('people', 'name'",
        "type_=sa.String(length=99)",
    ],
    (NAME, AGE, 'sa.Column("token", sa.Uuid, server_default=sa.text("gen_random_uuid()"))'): [
        "op.add_column_online('people', sa.Column('token', sa.Uuid()",
    ],
    (NAME, AGE, 'sa.Column("extra", sa.Text, server_default="x", nullable=False)'): [
        "op.add_column('people', sa.Column('extra', sa.Text()",
    ],
}


@pytest.mark.parametrize("columns", EXPECTED, ids=lambda columns: columns[-1])
def test_what_autogenerate_writes_goes_up_down_and_up_again(
    folder: Path, empty_database_url: str, columns: tuple[str, ...]
) -> None:
    url = empty_database_url
    execute(url, *TABLES)
    upgrade(_started(folder, url), url)

    (revision,) = _generate(folder, url, *columns)

    assert "phase" not in revision
    for part in EXPECTED[columns]:
        assert part in revision.replace('"', "'").replace("\n    ", " ")
    _goes_up_down_and_up(folder, url)


def _started(folder: Path, url: str) -> Path:
    """Generates the revision that finds nothing, so that Alembic's table exists."""
    assert "pass" in _generate(folder, url, NAME, AGE)[0]
    return folder


def _goes_up_down_and_up(folder: Path, url: str) -> None:
    config = configuration(folder, url)
    upgrade(folder, url)
    command.check(config)
    command.downgrade(config, "-1")
    with pytest.raises(CommandError, match=r"not up to date|New upgrade"):
        command.check(config)
    upgrade(folder, url)
    command.check(config)


def test_the_lint_is_told_of_a_type_that_changes_no_row_but_not_on_the_way_back(
    folder: Path, empty_database_url: str
) -> None:
    execute(empty_database_url, *TABLES)
    upgrade(_started(folder, empty_database_url), empty_database_url)

    (revision,) = _generate(folder, empty_database_url, NAME.replace("50", "99"), AGE)

    up, down = revision.split("def downgrade")
    assert up.count("# kingpost: allow changing-column-type: ") == 1
    assert "# kingpost" not in down
    config = configuration(folder, empty_database_url)
    scripts = ScriptDirectory.from_config(config)
    assert lint(config, scripts, scripts.get_revisions("head")) == ()


def test_a_type_that_needs_a_rewrite_is_changed_in_two_revisions(
    folder: Path, empty_database_url: str
) -> None:
    url = empty_database_url
    execute(url, *TABLES)
    upgrade(_started(folder, url), url)

    first, second = _generate(folder, url, NAME, AGE.replace("Integer", "BigInteger"))

    assert "op.change_type_online('people', 'age', sa.BigInteger())" in first.replace('"', "'")
    assert "phase" not in first
    assert "op.finish_type_change('people', 'age')" in second.replace('"', "'")
    assert '\nphase = "contract"\n' in second
    _goes_up_down_and_up(folder, url)


def test_what_the_running_version_would_miss_is_a_contract_of_its_own(
    folder: Path, empty_database_url: str
) -> None:
    url = empty_database_url
    execute(url, *TABLES)
    upgrade(_started(folder, url), url)
    more = 'sa.Table("fresh", metadata, sa.Column("id", sa.ForeignKey("groups.id"), index=True))'

    fresh, online, contract = _generate(folder, url, NAME, 'sa.Index("ix_n", "name")', more=more)

    assert "op.create_table(" in fresh
    assert "op.create_index(" in fresh
    assert "op.create_index_online(" in online
    assert "op.drop_column(" in contract
    assert '\nphase = "contract"\n' in contract
    assert "phase" not in fresh + online
    upgrade(folder, url)
    command.check(configuration(folder, url))


def test_what_kingpost_keeps_for_itself_is_no_drift(folder: Path, empty_database_url: str) -> None:
    url = empty_database_url
    execute(url, *TABLES, "CREATE TABLE kingpost_migration_steps (revision text)")
    execute(url, "ALTER TABLE people ADD kingpost_new_age bigint")
    upgrade(_started(folder, url), url)

    command.check(configuration(folder, url))
