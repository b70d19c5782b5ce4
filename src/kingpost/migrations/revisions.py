"""Which revisions the code has and which the database has."""

from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine


def heads(migrations: Path) -> set[str]:
    """The newest revisions of the code.

    Args:
        migrations: the folder with env.py and versions/.

    Returns:
        One revision, or more when branches are not merged; empty without any revision.
    """
    return set(ScriptDirectory(str(migrations)).get_heads())


async def current(engine: AsyncEngine) -> set[str]:
    """The revisions that the database is at.

    Args:
        engine: of the database.

    Returns:
        What its alembic_version holds; empty for a database without that table.
    """
    async with engine.connect() as connection:
        return await connection.run_sync(_current)


def _current(connection: Connection) -> set[str]:
    return set(MigrationContext.configure(connection).get_current_heads())
