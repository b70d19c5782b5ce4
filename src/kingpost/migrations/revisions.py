"""Which revisions the code has and which the database has."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from alembic.script import Script, ScriptDirectory
from alembic.util import to_tuple
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kingpost.migrations.phases import phase_of

VERSION_TABLE = "alembic_version"

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


@dataclass(frozen=True, slots=True)
class Code:
    """The revisions that the code has, read once.

    Args:
        heads: the newest ones.
        parents: of each revision, those that it follows.
        contracts: those with `phase = "contract"`, which the code does without.
    """

    heads: frozenset[str]
    parents: Mapping[str, frozenset[str]]
    contracts: frozenset[str]

    @classmethod
    def read(cls, migrations: Path) -> Self:
        """Reads them.

        Args:
            migrations: the folder with env.py and versions/.

        Returns:
            All of them.

        Raises:
            CommandError: a revision has a phase that does not exist.
        """
        scripts = ScriptDirectory(str(migrations))
        every = list(scripts.walk_revisions())
        return cls(
            heads=frozenset(scripts.get_heads()),
            parents={script.revision: _parents(script) for script in every},
            contracts=frozenset(s.revision for s in every if phase_of(s) == "contract"),
        )

    def pending(self, found: Set[str]) -> frozenset[str]:
        """What a database has not yet.

        Args:
            found: the revisions that it is at.

        Returns:
            Nothing for a database that newer code has migrated: while a release is rolled out it
            is ahead of the old code, which does not know its revision.
        """
        if not found <= self.parents.keys():
            return frozenset()
        applied, waiting = set[str](), list(found)
        while waiting:
            revision = waiting.pop()
            applied.add(revision)
            waiting += self.parents[revision] - applied
        return frozenset(self.parents.keys() - applied)

    def missing(self, found: Set[str]) -> frozenset[str]:
        """What the code needs and a database has not: no contract, those come after a rollout.

        Args:
            found: the revisions that it is at.

        Returns:
            Nothing if the code can run on it.
        """
        return self.pending(found) - self.contracts

    def newest(self, revisions: Set[str]) -> frozenset[str]:
        """Those of some revisions that no other one of them follows.

        Args:
            revisions: of the code.

        Returns:
            Mostly a single one.
        """
        followed = [self.parents[revision] for revision in revisions]
        return frozenset(revisions).difference(*followed)


def _parents(script: Script) -> frozenset[str]:
    down = script.down_revision or ()
    depends = script.dependencies or ()
    return frozenset(to_tuple(down)) | frozenset(to_tuple(depends))
