"""Which revisions the code has and which the database has."""

from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

_TABLE_EXISTS = text("SELECT to_regclass('alembic_version')::text")
_VERSIONS = text("SELECT version_num FROM alembic_version")


def heads(migrations: Path) -> set[str]:
    """The newest revisions of the code.

    Args:
        migrations: the folder with env.py and versions/.

    Returns:
        One revision, or more when branches are not merged; empty without any revision.
    """
    return set(ScriptDirectory(str(migrations)).get_heads())


def known(migrations: Path) -> set[str]:
    """All revisions of the code.

    Args:
        migrations: the folder with env.py and versions/.

    Returns:
        Every revision, applied or not.
    """
    scripts = ScriptDirectory(str(migrations)).walk_revisions()
    return {script.revision for script in scripts}


async def current(engine: AsyncEngine) -> set[str]:
    """The revisions that the database is at.

    Args:
        engine: of the database.

    Returns:
        What its alembic_version holds; empty for a database without that table.
    """
    async with engine.connect() as connection:
        if await connection.scalar(_TABLE_EXISTS) is None:
            return set()
        return set(await connection.scalars(_VERSIONS))
