"""Revisions made by a test, and what they leave in the database."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from kingpost.embedded import EmbeddedPostgres
from kingpost.migrations.runner import configuration
from kingpost.testing.databases import execute

ENVIRONMENT = """
from sqlalchemy import MetaData
from kingpost.migrations import environment

environment.run(MetaData())
"""

REVISION = """
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {follows!r}


def upgrade():
    {up}


def downgrade():
    {down}
"""

TABLES = (
    "CREATE TABLE groups (id bigint PRIMARY KEY)",
    "CREATE TABLE people (id int PRIMARY KEY, name text, age int NOT NULL, group_id bigint)",
    "CREATE INDEX ix_old ON people (name)",
    "CREATE INDEX ix_age ON people (age)",
    "INSERT INTO groups VALUES (1)",
    "INSERT INTO people SELECT n, 'Name ' || n, n, 1 FROM generate_series(1, 60) n",
)
EVERYTHING = (
    'op.drop_index_online("ix_old", "people")',
    'op.create_index_online("ix_people_name", "people", ["name"])',
    'op.add_unique_online("uq_people_name", "people", ["name"])',
    'op.add_check_online("ck_people_age", "people", "age > 0")',
    'op.validate_constraint_online("ck_people_age", "people")',
    'op.add_foreign_key_online("fk_group", "people", "groups", ["group_id"], ["id"])',
    'op.validate_constraint_online("fk_group", "people")',
    'op.set_not_null_online("people", "name")',
    """op.add_column_online("people", sa.Column("token", sa.Uuid(),
    server_default=sa.text("gen_random_uuid()"), nullable=False))""",
    'op.backfill("people", {"group_id": "2 - 1"}, where="group_id <> 1", batch_rows=40)',
    'op.change_type_online("people", "age", sa.BigInteger())',
)
FINISH = 'op.finish_type_change("people", "age")'


class Revisions:
    """A folder of revisions: `revisions.add("op.…", down="op.…")`, then `revisions.up(url)`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: list[str] = []
        (folder / "versions").mkdir(parents=True)
        (folder / "env.py").write_text(ENVIRONMENT)

    def add(self, *up: str, down: Sequence[str] = ("pass",)) -> str:
        """Writes one more revision; gives its name."""
        name = f"r{len(self.names) + 1}"
        follows = self.names[-1] if self.names else None
        text = REVISION.format(
            revision=name, follows=follows, up="\n    ".join(up), down="\n    ".join(down)
        )
        (self.folder / "versions" / f"{name}.py").write_text(text)
        self.names.append(name)
        return name

    def again(self, *up: str) -> None:
        """Writes the newest revision anew."""
        name = self.names.pop()
        (self.folder / "versions" / f"{name}.py").unlink()
        self.add(*up)

    def up(self, url: str, revision: str = "head", **attributes: Any) -> None:
        config = configuration(self.folder, url)
        config.attributes.update(attributes)
        command.upgrade(config, revision)

    def down(self, url: str, revision: str = "-1") -> None:
        command.downgrade(configuration(self.folder, url), revision)

    def forget(self, url: str) -> None:
        """Takes the stamp of the newest revision away, as if it had failed at the very end."""
        config = configuration(self.folder, url)
        command.stamp(config, self.names[-2] if len(self.names) > 1 else "base")

    def sql(self, url: str) -> str:
        """What `--sql` writes for all of them."""
        import io

        config = configuration(self.folder, url)
        config.output_buffer = io.StringIO()
        command.upgrade(config, "head", sql=True)
        return config.output_buffer.getvalue()


def changes(sql: str, context: Any) -> bool:
    """Whether a statement changes anything; bookkeeping asks and sets only."""
    options = context.execution_options if context else {}
    asks = sql.lstrip().startswith(("SELECT", "CREATE TABLE alembic_version"))
    return not asks and not options.get("kingpost_bookkeeping")


def statements_of(engine: AsyncEngine, sent: list[str]) -> None:
    """Appends each statement that the engine sends and that changes something."""

    def remember(_n: Any, _c: Any, sql: str, _p: Any, context: Any, _m: Any) -> None:
        if changes(sql, context):
            sent.append(sql)

    event.listen(engine.sync_engine, "before_cursor_execute", remember)


def dump(postgres: EmbeddedPostgres, url: str) -> str:
    """The schema as pg_dump writes it."""
    command_line = [postgres.bin("pg_dump"), "-s", "--no-owner", "--restrict-key=x"]
    where = ["-h", postgres.host, "-U", "postgres", str(make_url(url).database)]
    done = subprocess.run([*command_line, *where], capture_output=True, text=True, check=True)
    return done.stdout


def tables(text: str) -> str:
    """A dump without what Alembic and Kingpost keep for themselves."""
    own = ("alembic_version", "kingpost_migration_steps")
    parts = text.split("--\n-- Name: ")
    return "--\n-- Name: ".join(part for part in parts if not any(word in part for word in own))


def value(url: str, query: str) -> Any:
    """The first value that a query gives."""
    rows = execute(url, query)
    return rows[0][0] if rows else None


@contextmanager
def database_of(server: EmbeddedPostgres, name: str, driver: Any = "asyncpg") -> Iterator[str]:
    """A database on a server that has nothing to do with the fixtures."""
    server.drop_database(name)
    server.create_database(name)
    yield server.url(name, driver)
    server.drop_database(name)
