"""The revisions of the code, and which of them a database has."""

from collections.abc import Set
from dataclasses import dataclass

from alembic.script import ScriptDirectory

from kingpost.migrations.phases import Phase, phase_of
from kingpost.migrations.revisions import Code


@dataclass(frozen=True, slots=True)
class Entry:
    """A revision.

    Attributes:
        revision: its id.
        parents: what it follows.
        title: the first line of its file.
        phase: expand, migrate or contract.
        applied: whether the database has it; None if only newer code knows.
        head: whether nothing follows it.
    """

    revision: str
    parents: list[str]
    title: str
    phase: Phase
    applied: bool | None
    head: bool


def history(scripts: ScriptDirectory, code: Code, found: Set[str]) -> list[Entry]:
    """Lists all revisions of the code.

    Args:
        scripts: the folder of migrations.
        code: the same, as it was read.
        found: the revisions that the database is at.

    Returns:
        The newest one first.
    """
    pending = code.pending(found) if found <= code.parents.keys() else None
    return [
        Entry(
            revision=script.revision,
            parents=sorted(code.parents[script.revision]),
            title=(script.doc or "").partition("\n")[0],
            phase=phase_of(script),
            applied=None if pending is None else script.revision not in pending,
            head=script.is_head,
        )
        for script in scripts.walk_revisions()
    ]
