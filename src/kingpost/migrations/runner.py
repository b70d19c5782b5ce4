"""Migrates a database from code, as `alembic upgrade head` does from the shell."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from kingpost.project import Project

URL_ATTRIBUTE = "kingpost_url"


def upgrade(target: Project | Path, url: str, revision: str = "head") -> None:
    """Brings a database up to a revision. Safe to call from several processes at once.

    Args:
        target: the project, or its folder of migrations.
        url: the database, with an asynchronous driver.
        revision: where to go.

    Raises:
        alembic.util.CommandError: no such revision.
        MigrationLockError: another process has been migrating for ten minutes.
    """
    command.upgrade(configuration(target, url), revision)


def downgrade(target: Project | Path, url: str, revision: str) -> None:
    """Brings a database down to a revision; `base` is the empty one.

    Args:
        target: the project, or its folder of migrations.
        url: the database, with an asynchronous driver.
        revision: where to go, such as `-1` or `base`.

    Raises:
        alembic.util.CommandError: no such revision.
    """
    command.downgrade(configuration(target, url), revision)


def configuration(target: Project | Path, url: str) -> Config:
    """The Alembic configuration for a database, for any other Alembic command.

    Args:
        target: the project, or its folder of migrations.
        url: the database, with an asynchronous driver.

    Returns:
        The configuration of pyproject.toml, if a project is given.
    """
    if isinstance(target, Project):
        config = Config(toml_file=target.root / "pyproject.toml")
        folder = target.migrations
    else:
        config, folder = Config(), target
        config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes[URL_ATTRIBUTE] = url
    return config
