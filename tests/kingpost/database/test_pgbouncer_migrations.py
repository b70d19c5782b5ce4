"""A migration needs a session, and a pooler in transaction mode gives none."""

import asyncio
from pathlib import Path

import pytest
from alembic.util import CommandError
from tests.kingpost.support import Sql

from kingpost.migrations import upgrade
from kingpost.migrations.engine import migration_engine
from kingpost.migrations.pooler import refuse_transaction_pooling


async def test_migrations_refuse_to_run_through_transaction_pooling(
    pgbouncer_url: str, migrations: Path, sql: Sql
) -> None:
    with pytest.raises(CommandError, match=r"a pooler in transaction mode.* PostgreSQL itself"):
        await asyncio.to_thread(upgrade, migrations, pgbouncer_url)

    assert await sql("SELECT to_regclass('one'), to_regclass('alembic_version')") == [(None, None)]


async def test_without_a_pooler_nothing_is_refused(library_url: str) -> None:
    engine = migration_engine(library_url)
    await refuse_transaction_pooling(engine, "its URL")
    await engine.dispose()


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(
        "from sqlalchemy import MetaData\n"
        "from kingpost.migrations import environment\n"
        "environment.run(MetaData())\n"
    )
    (tmp_path / "versions" / "r1.py").write_text(
        "from alembic import op\n"
        "revision, down_revision = 'r1', None\n"
        "def upgrade():\n    op.execute('CREATE TABLE one ()')\n"
    )
    return tmp_path
