"""Migrates a database from code, as `alembic upgrade head` does from the shell."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import AsyncEngine

from kingpost.project import Project

URL_ATTRIBUTE = "kingpost_url"
OBSERVE_ATTRIBUTE = "kingpost_observe"
RUN_ATTRIBUTE = "kingpost_run"
COMPARE_ATTRIBUTE = "kingpost_compare"

Observer = Callable[[AsyncEngine], None]


@dataclass
class Run:
    """One run of the migrations: how it is wanted, and what has come of it.

    Attributes:
        contract: what to do about revisions with `phase = "contract"`: apply them, stop before
            the first one, or do nothing at all.
        patience: seconds, instead of those of the limits.
        plan_only: whether to change nothing.
        planned: the revisions on the way, in their order.
        applied: the revisions that were applied or reverted, in that order.
        held_back: those that a contract kept from being applied.
    """

    contract: Literal["allow", "stop", "refuse"] = "allow"
    patience: float | None = None
    plan_only: bool = False
    planned: list[str] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)
    held_back: list[str] = field(default_factory=list)


def upgrade(
    target: Project | Path, url: str, revision: str = "head", *, observe: Observer | None = None
) -> None:
    """Brings a database up to a revision. Safe to call from several processes at once.

    Args:
        target: the project, or its folder of migrations.
        url: the database, with an asynchronous driver.
        revision: where to go.
        observe: called with the engine that runs the revisions, before it connects.

    Raises:
        alembic.util.CommandError: no such revision.
        MigrationLockError: another process has been migrating for longer than we are patient.
        BlockedError: others kept a revision from having its locks.
        ResumableError: a revision failed after a part that can be repeated.
        PartlyAppliedError: a revision failed after a part that cannot be repeated.
    """
    command.upgrade(_observed(configuration(target, url), observe), revision)


def downgrade(
    target: Project | Path, url: str, revision: str, *, observe: Observer | None = None
) -> None:
    """Brings a database down to a revision; `base` is the empty one.

    Args:
        target: the project, or its folder of migrations.
        url: the database, with an asynchronous driver.
        revision: where to go, such as `-1` or `base`.
        observe: called with the engine that runs the revisions, before it connects.

    Raises:
        alembic.util.CommandError: no such revision.
        MigrationLockError, BlockedError, ResumableError, PartlyAppliedError: as for `upgrade`.
    """
    command.downgrade(_observed(configuration(target, url), observe), revision)


def _observed(config: Config, observe: Observer | None) -> Config:
    config.attributes[OBSERVE_ATTRIBUTE] = observe
    return config


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
