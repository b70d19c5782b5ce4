"""Whether a database is what the code expects: for CI, and before an instance starts."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from kingpost.migrations import revisions
from kingpost.migrations.difference import differences
from kingpost.migrations.engine import migration_engine
from kingpost.migrations.leftovers import InvalidIndex, UnvalidatedConstraint, leftovers
from kingpost.project import Project

Kind = Literal["behind", "ahead", "contract", "heads", "drift", "invalid", "unvalidated"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        kind: of what sort.
        name: of the revision, index, constraint or column.
        advice: what it is, and what to do.
    """

    kind: Kind
    name: str
    advice: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check has found.

    Attributes:
        current: the revisions of the database.
        heads: the newest ones of the code.
        findings: nothing if all is well.
    """

    current: list[str]
    heads: list[str]
    findings: list[Finding] = field(default_factory=list)

    @property
    def behind(self) -> bool:
        """Whether the database lacks something that the code needs."""
        return any(finding.kind == "behind" for finding in self.findings)


def check(project: Project, url: str) -> Checked:
    """Checks that a database is at the one head of the code, finished, and as the models say.

    Whether the models differ can only be told of a database that is at the head.

    Args:
        project: the service.
        url: its database.

    Returns:
        What it found.

    Raises:
        alembic.util.CommandError: the database cannot be reached.
    """
    found, left = asyncio.run(_look(url))
    code = revisions.Code.read(project.migrations)
    findings = [*_of_revisions(code, found), *map(_of_leftover, left)]
    if found == code.heads and len(found) == 1:
        findings += [_of_difference(name) for name in differences(project, url)]
    return Checked(sorted(found), sorted(code.heads), findings)


async def _look(url: str) -> tuple[set[str], list[InvalidIndex | UnvalidatedConstraint]]:
    engine = migration_engine(url)
    try:
        return await revisions.current(engine), await leftovers(engine)
    finally:
        await engine.dispose()


def _of_revisions(code: revisions.Code, found: set[str]) -> Iterator[Finding]:
    names = ", ".join(sorted(found)) or "none"
    pending, missing = code.pending(found), code.missing(found)
    if len(code.heads) > 1:
        told = "the code has more than one newest revision: join them with `alembic merge`"
        yield Finding("heads", ", ".join(sorted(code.heads)), told)
    if missing:
        needed = ", ".join(sorted(code.newest(missing)))
        told = f"the database is at {names}, the code needs {needed}: run `kingpost db upgrade`"
        yield Finding("behind", needed, told)
    elif pending:
        told = "not applied; once no old instance is left, run `kingpost db upgrade --contract`"
        yield Finding("contract", ", ".join(sorted(pending)), told)
    elif found != code.heads:
        yield Finding("ahead", names, "the database was migrated by newer code: deploy that")


def _of_leftover(left: InvalidIndex | UnvalidatedConstraint) -> Finding:
    if isinstance(left, UnvalidatedConstraint):
        return Finding(
            "unvalidated",
            left.name,
            f"the constraint on {left.table} has not been checked for the rows there are: "
            f'op.validate_constraint_online("{left.name}", "{left.table}") in a revision',
        )
    if left.building:
        return Finding("invalid", left.name, f"the index on {left.table} is being built: wait")
    return Finding(
        "invalid",
        left.name,
        f"the index on {left.table} was not finished and serves nobody: run its revision again, "
        f"or DROP INDEX CONCURRENTLY {left.name}",
    )


def _of_difference(name: str) -> Finding:
    return Finding(
        "drift",
        name,
        "the models and the database differ: make a revision with "
        "`alembic revision --autogenerate`, or correct the models",
    )
