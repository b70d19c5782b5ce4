"""Which part of a change a revision is: expand, migrate or contract."""

from typing import Literal, get_args

from alembic.script import Script
from alembic.util import CommandError

Phase = Literal["expand", "migrate", "contract"]

_PHASES: tuple[Phase, ...] = get_args(Phase)


def phase_of(script: Script) -> Phase:
    """What a revision's file says in `phase = "…"`.

    Expand adds what the next version needs, migrate moves data, and both leave the running
    version alone. Contract takes away what only the version before has used.

    Args:
        script: the revision.

    Returns:
        Its phase, `expand` if it names none.

    Raises:
        CommandError: it names one that does not exist.
    """
    named = getattr(script.module, "phase", "expand")
    for phase in _PHASES:
        if named == phase:
            return phase
    raise CommandError(
        f"revision {script.revision} has phase = {named!r}: write one of {', '.join(_PHASES)}"
    )


def reason_of(script: Script) -> str:
    """Why a revision is accepted although its rehearsal does not pass.

    Args:
        script: the revision.

    Returns:
        What its file says in `rehearsal_reason = "…"`; empty if nothing.

    Raises:
        CommandError: it is no text.
    """
    reason = getattr(script.module, "rehearsal_reason", "")
    if not isinstance(reason, str):
        raise CommandError(
            f"revision {script.revision} has a rehearsal_reason that is no text: write one sentence"
        )
    return reason.strip()


def is_repeatable(script: Script) -> bool:
    """Whether a revision says `repeatable = True`: what it commits on its way may be done again.

    Online operations can always be repeated. This is for one that leaves its transaction by
    itself, and does so with statements such as `ALTER TYPE … ADD VALUE IF NOT EXISTS`.

    Args:
        script: the revision.

    Returns:
        False if it says nothing.
    """
    return getattr(script.module, "repeatable", False) is True


def statement_timeout_of(script: Script) -> float | None:
    """How long a statement of a revision may take, from `statement_timeout = …` in its file.

    Args:
        script: the revision.

    Returns:
        Seconds, or None if it leaves that to the limits of the run.

    Raises:
        CommandError: it is no positive number.
    """
    named = getattr(script.module, "statement_timeout", None)
    if named is None or (isinstance(named, int | float) and named > 0):
        return named
    raise CommandError(
        f"revision {script.revision} has statement_timeout = {named!r}: write seconds, such as 300"
    )
