from pathlib import Path

import pytest
from tests.kingpost.migrations.support import Story

ENVIRONMENT = """
from sqlalchemy import Column, Integer, MetaData, Table
from kingpost.migrations import environment

metadata = MetaData()
Table("one", metadata, Column("id", Integer, primary_key=True))
environment.run(metadata)
"""

FIRST = """
from alembic import op
import sqlalchemy as sa

revision = "r1"
down_revision = None

def upgrade():
    op.create_table("one", sa.Column("id", sa.Integer, primary_key=True))

def downgrade():
    op.drop_table("one")
"""

SECOND = """
from alembic import op

revision = "r2"
down_revision = "r1"

def upgrade():
    op.execute("INSERT INTO one VALUES (1)")

def downgrade():
    op.execute("DELETE FROM one")
"""


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """A folder of migrations with two revisions."""
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(ENVIRONMENT)
    (folder / "versions" / "r1.py").write_text(FIRST)
    (folder / "versions" / "r2.py").write_text(SECOND)
    return folder


@pytest.fixture
def story(tmp_path: Path, empty_database_url: str, caplog: pytest.LogCaptureFixture) -> Story:
    """Revisions for this test, on an empty database; waits and pauses are short."""
    return Story(tmp_path / "migrations", empty_database_url, caplog)
