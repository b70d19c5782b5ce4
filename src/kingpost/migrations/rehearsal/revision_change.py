"""What is rehearsed: a revision of a service, there and back."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import ClassVar

from alembic.script import Script as AlembicScript
from alembic.script import ScriptDirectory

from kingpost.migrations.phases import Phase, phase_of, reason_of
from kingpost.migrations.rehearsal.changes import Recorder
from kingpost.migrations.rehearsal.interrupts import is_interrupt
from kingpost.migrations.rehearsal.observing import failure_of
from kingpost.migrations.rehearsal.server import RehearsalError
from kingpost.migrations.runner import downgrade, upgrade
from kingpost.project import Project


@dataclass(frozen=True, slots=True)
class RevisionChange:
    """A revision, which the runner of migrations applies and takes back.

    Args:
        project: the service.
        script: the revision.
    """

    project: Project
    script: AlembicScript
    reversible: ClassVar[bool] = True  # a revision has a downgrade, if only one that does nothing
    application: ClassVar[str] = "kingpost-migrate:"
    talkative: ClassVar[bool] = True  # operations that can be repeated ask first what is there
    rows_by: ClassVar[str] = "--dump FILE, or with a function of yours with --fill MODULE:FUNCTION"

    @property
    def name(self) -> str:
        """Its identifier."""
        return str(self.script.revision)

    @property
    def title(self) -> str:
        """The first line of its message."""
        return self.script.doc or ""

    @property
    def phase(self) -> Phase:
        """`expand`, `migrate` or `contract`."""
        return phase_of(self.script)

    @property
    def reason(self) -> str:
        """Why it may pass although its verdict does not."""
        return reason_of(self.script)

    def place(self) -> str | None:
        """Which line of the revision has the statement that is about to run, if it is one."""
        file = Path(self.script.path)
        for code, line in _callers():
            if Path(code) == file:
                root = self.project.root
                return f"{file.relative_to(root) if file.is_relative_to(root) else file}:{line}"
        return None

    @property
    def parents(self) -> tuple[str, ...]:
        """The revisions that it builds on."""
        found = self.script.down_revision or ()
        return (found,) if isinstance(found, str) else tuple(found)

    def reach(self, url: str) -> None:
        """Brings a database to the state before the revision.

        Args:
            url: of a database at an earlier revision, or empty.

        Raises:
            RehearsalError: a revision on the way fails.
        """
        for parent in self.parents:
            failure = _run(partial(upgrade, self.project, url, parent))
            if failure is not None:
                raise RehearsalError(f"cannot reach {parent}, before {self.name}: {failure}")

    def apply(self, url: str, recorder: Recorder) -> str | None:
        """Upgrades to the revision.

        Args:
            url: of a database at its parent.
            recorder: sees the statements.

        Returns:
            The failure, `SQLSTATE: message`, or None.
        """
        return _run(
            lambda: upgrade(self.project, url, self.name, observe=recorder.attach), recorder.settle
        )

    def undo(self, url: str, recorder: Recorder) -> str | None:
        """Downgrades from the revision.

        Args:
            url: of a database that is at it.
            recorder: sees the statements.

        Returns:
            The failure, `SQLSTATE: message`, or None.
        """
        target = self.parents[0] if self.parents else "base"
        return _run(
            lambda: downgrade(self.project, url, target, observe=recorder.attach), recorder.settle
        )


def _callers() -> Iterator[tuple[str, int]]:
    """File and line of all those who have called, from the nearest on."""
    frame: FrameType | None = sys._getframe(1)
    while frame:
        yield frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back


def _run(migrate: Callable[[], None], settle: Callable[[], None] = lambda: None) -> str | None:
    try:
        migrate()
    except Exception as error:
        if is_interrupt(error):
            raise KeyboardInterrupt from error
        return failure_of(error)
    settle()
    return None


def changes_of(project: Project, wanted: list[str] | None) -> tuple[RevisionChange, ...]:
    """Finds revisions, in the order in which they are applied.

    Args:
        project: the service.
        wanted: their identifiers, or the beginnings of those; None for the newest.

    Returns:
        The revisions.

    Raises:
        RehearsalError: there are none.
        CommandError: there is no such revision.
    """
    scripts = ScriptDirectory(str(project.migrations))
    names = wanted if wanted is not None else list(scripts.get_heads())
    if not names:
        raise RehearsalError(f"{project.migrations} has no revisions: make one first")
    found = {scripts.get_revision(name).revision for name in names}
    ordered = reversed(list(scripts.walk_revisions()))
    return tuple(RevisionChange(project, it) for it in ordered if it.revision in found)
