"""Revisions of a test, run in a thread beside it, and sessions that are in their way."""

import asyncio
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.kingpost.support import until

from kingpost.migrations import upgrade
from kingpost.migrations.engine import migration_engine
from kingpost.testing.databases import execute

ENVIRONMENT = """
from sqlalchemy import MetaData
from kingpost.migrations import environment
from kingpost.migrations.limits import Limits

environment.run(MetaData(), limits=Limits({limits}))
"""

REVISION = '''
"""{title}"""

import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {follows!r}
{marks}

def upgrade():
{up}

def downgrade():
    pass
'''

QUICK = "lock_timeouts=(0.05,), first_pause=0.05, longest_pause=0.1"
TABLE = 'op.create_table("one", sa.Column("id", sa.Integer))'
COLUMN = 'op.add_column("one", sa.Column("b", sa.Integer))'
LEAVE = "with op.get_context().autocommit_block():"


class Story:
    """A folder of revisions r1, r2, … of which the first makes the table `one`.

    Args:
        folder: where to write them.
        url: of the database they are run on.
        caplog: hears what the runner tells.
    """

    def __init__(self, folder: Path, url: str, caplog: pytest.LogCaptureFixture) -> None:
        self.folder, self.url, self._caplog = folder, url, caplog
        caplog.set_level("INFO", "kingpost.migrations")
        (folder / "versions").mkdir(parents=True)
        self.limit(QUICK)
        self._count = 0
        self.add(TABLE)

    def limit(self, limits: str) -> None:
        (self.folder / "env.py").write_text(ENVIRONMENT.format(limits=limits))

    def add(self, *up: str, marks: str = "", name: str | None = None) -> str:
        """Writes the next revision; gives its name."""
        follows = f"r{self._count}" if self._count else None
        self._count += 1
        revision = name or f"r{self._count}"
        body = textwrap.indent("\n".join(up) or "pass", "    ")
        (self.folder / "versions" / f"{revision}.py").write_text(
            REVISION.format(
                title=f"Step {self._count}.",
                revision=revision,
                follows=follows,
                marks=marks,
                up=body,
            )
        )
        return revision

    def up(self, revision: str = "head", **options: Any) -> None:
        upgrade(self.folder, self.url, revision, **options)

    @property
    def told(self) -> list[str]:
        return [record.getMessage() for record in self._caplog.records]

    def retries(self) -> list[str]:
        return [line for line in self.told if "trying again" in line]

    def at(self) -> list[str]:
        return [row[0] for row in execute(self.url, "SELECT version_num FROM alembic_version")]

    def columns(self) -> list[str]:
        query = "SELECT attname FROM pg_attribute WHERE attrelid = 'one'::regclass AND attnum > 0"
        return [row[0] for row in execute(self.url, query)]

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """A connection of somebody else."""
        engine = migration_engine(self.url)
        async with engine.connect() as connection:
            yield connection
        await engine.dispose()

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[AsyncConnection]:
        """A session with a transaction that has read from the table and does not end."""
        async with self.session() as connection:
            await connection.execute(text("SET application_name = 'slow report'"))
            await connection.execute(text("SELECT * FROM one"))
            yield connection

    async def until_retried(self, times: int) -> None:
        await until(lambda: len(self.retries()) >= times)

    async def beside(self, revision: str = "head") -> "asyncio.Task[None]":
        return asyncio.create_task(asyncio.to_thread(self.up, revision))
