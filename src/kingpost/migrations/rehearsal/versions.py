"""Which code is the running version of a service, and which the new one."""

from dataclasses import dataclass
from pathlib import Path

from kingpost.migrations.phases import Phase
from kingpost.migrations.rehearsal.child import ServiceFailed, git
from kingpost.project import Project


@dataclass(frozen=True, slots=True)
class Code:
    """A version of a service.

    Args:
        revision: of git; None for the code as it is.
        words: what it is, for people.
    """

    revision: str | None
    words: str


AS_IT_IS = Code(None, "the code as it is")


def running_versions(project: Project, file: Path, phase: Phase) -> tuple[Code, ...]:
    """What the running version of a service may be, the likelier first.

    The code as it is serves the schema before a contract; before any other revision it refuses to
    start, and the newest commit without the revision is the one that runs.

    Args:
        project: the service.
        file: of the revision that is rehearsed.
        phase: of the revision.

    Returns:
        One or two; none if the project has no app.
    """
    if "app" not in project.targets:
        return ()
    before = _before(project.root, file)
    if before is None:
        return (AS_IT_IS,)
    return (AS_IT_IS, before) if phase == "contract" else (before, AS_IT_IS)


def _before(root: Path, file: Path) -> Code | None:
    try:
        added = git(root, "log", "--diff-filter=A", "-1", "--format=%H", "--", str(file)).strip()
        wanted = f"{added}^" if added else "HEAD"
        found = git(root, "rev-parse", "--verify", "--short", "--quiet", wanted).strip()
    except ServiceFailed:  # no git, no repository, or nothing in it before the revision
        return None
    return Code(found, f"commit {found}, before the revision was added")
