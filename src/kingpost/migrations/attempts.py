"""Whether a revision that failed is tried again, and what is said when it is not."""

import logging
import random
from dataclasses import dataclass, field, replace

from alembic.runtime.migration import RevisionStep
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from kingpost.database import drivers
from kingpost.migrations import phases
from kingpost.migrations.blockers import Blocker, named
from kingpost.migrations.engine import reason
from kingpost.migrations.errors import (
    BlockedError,
    MigrationLockError,
    PartlyAppliedError,
    ResumableError,
)
from kingpost.migrations.limits import Limits
from kingpost.migrations.parts import Parts
from kingpost.migrations.watching import Watch

_log = logging.getLogger("kingpost.migrations")

_LOCK_NOT_AVAILABLE = "55P03"
_RETRIED = (_LOCK_NOT_AVAILABLE, "40P01")
_CANCELED = "57014"
_CONNECTION_LOST = ("08", "57P")
_EXISTS = {"42701", "42P06", "42P07", "42710", "42723"}


@dataclass
class Attempts:
    """The attempts at one revision.

    Attributes:
        step: the revision and its direction.
        limits: of time, with what its file says of them.
        watch: what is seen of the newest attempt.
        seen: who was in the way of the attempts before it.
        parts: what the newest attempt has committed.
        resumable: whether any attempt has committed what can be repeated.
    """

    step: RevisionStep
    limits: Limits
    watch: Watch | None = None
    seen: list[Blocker] = field(default_factory=list)
    parts: Parts | None = None
    resumable: bool = False

    @classmethod
    def of(cls, step: RevisionStep, limits: Limits) -> "Attempts":
        """None yet.

        Args:
            step: the revision and its direction.
            limits: of the run.

        Returns:
            With the statement timeout that the revision's file asks for.

        Raises:
            CommandError: the file asks for something else than a number.
        """
        asked = phases.statement_timeout_of(step.revision)
        return cls(step, limits if asked is None else replace(limits, statement_timeout=asked))

    @property
    def revision(self) -> str:
        """The id of the revision."""
        return self.step.revision.revision

    def begin(self, watch: Watch) -> None:
        """Turns to a new attempt.

        Args:
            watch: what will be seen of this one.
        """
        self.seen, self.watch, self.parts = self._blockers, watch, None

    def listen(self, connection: Connection) -> None:
        """Takes note of what is committed.

        Args:
            connection: of the attempt.
        """
        self.parts = Parts(connection)

    def pause(self, error: Exception, number: int, elapsed: float) -> float:
        """What to do after a failure.

        Args:
            error: why the attempt failed.
            number: of the attempt, 1 for the first.
            elapsed: seconds since the first attempt began.

        Returns:
            Seconds to wait before the next attempt.

        Raises:
            BlockedError: it was blocked for too often or too long.
            PartlyAppliedError: a part stays that cannot be repeated.
            ResumableError: a part stays that can be repeated.
            Exception: the failure itself, when it left nothing behind.
        """
        plain = self._committed(error)
        if plain and not phases.is_repeatable(self.step.revision):
            raise PartlyAppliedError(self._stuck(error, plain)) from error
        if drivers.sqlstate(error) not in _RETRIED or not isinstance(error, DBAPIError):
            raise self._failed(error)
        seconds = self.limits.pause(number, random.random())  # noqa: S311 - no secret
        if number >= self.limits.attempts or elapsed + seconds > self.limits.patience:
            raise BlockedError(self._blocked(number, elapsed)) from error
        _log.warning("%s; trying again in %.1f s", self._waited(error, number), seconds)
        return seconds

    def _committed(self, error: Exception) -> str:
        """The last plain statement that stays; takes note of what can be repeated."""
        if self.parts is None:
            return ""
        state = drivers.sqlstate(error)
        lost = isinstance(error, DBAPIError | OSError) and (
            state is None or state.startswith(_CONNECTION_LOST)
        )
        self.parts.ended(answered=not lost)
        plain = self.parts.plain
        repeatable = phases.is_repeatable(self.step.revision)
        self.resumable = self.resumable or self.parts.online or (bool(plain) and repeatable)
        return plain

    def _stuck(self, error: Exception, plain: str) -> str:
        return (
            f"revision {self.revision} failed in the middle ({reason(error)}), after it had left "
            f"its transaction: what it did up to `{_short(plain)}` stays, and would be done twice "
            "if it ran again. Undo that part, or finish the rest by hand and `alembic stamp "
            f"{self.revision}`; then give plain operations a revision of their own"
        )

    def _failed(self, error: Exception) -> Exception:
        if isinstance(error, MigrationLockError):
            return error
        if self.resumable:
            made = ResumableError(
                f"revision {self.revision} failed after a part of its work ({reason(error)}): "
                "remove the cause and run it again, it goes on from there"
            )
            made.__cause__ = error
            return made
        error.add_note(f"in revision {self.revision}, nothing of which stays{_hint(error)}")
        return error

    def _blocked(self, number: int, elapsed: float) -> str:
        stays = "what it has done can be repeated" if self.resumable else "nothing of it stays"
        return (
            f"revision {self.revision} did not get its locks in {_times(number)} and "
            f"{elapsed:.0f} s, and {stays}: wait for {named(self._blockers)}, or end it with "
            "`SELECT pg_terminate_backend(pid)`, and run it again"
        )

    def _waited(self, error: Exception, number: int) -> str:
        what = (
            f"waited {self.limits.lock_timeout(number):g} s for a lock"
            if drivers.sqlstate(error) == _LOCK_NOT_AVAILABLE
            else "was in a deadlock"
        )
        return f"{self.revision} {what} (attempt {number}), held by {named(self._blockers)}"

    @property
    def _blockers(self) -> list[Blocker]:
        return (self.watch.blockers if self.watch else []) or self.seen


def _hint(error: Exception) -> str:
    state = drivers.sqlstate(error)
    if state == _CANCELED:
        return (
            ": a statement took too long; fill large tables with op.backfill, build with the "
            "operations that end in _online, or write `statement_timeout = …` (seconds) in its file"
        )
    if state in _EXISTS:
        return (
            ": if it was killed in the middle before, plain operations ahead of online ones have "
            "been done already; undo them, or finish by hand and `alembic stamp` it"
        )
    return ""


def _times(number: int) -> str:
    return "1 attempt" if number == 1 else f"{number} attempts"


def _short(sql: str) -> str:
    line = " ".join(sql.split())
    return line if len(line) <= 80 else f"{line[:79]}…"
