"""Applies revisions: each in a transaction and a session of its own, again when it is blocked."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationStep, RevisionStep
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine

from kingpost.migrations.attempts import Attempts
from kingpost.migrations.limits import Limits
from kingpost.migrations.lock import HeldLock
from kingpost.migrations.runner import Run
from kingpost.migrations.session import prepare
from kingpost.migrations.watching import watching

_log = logging.getLogger("kingpost.migrations")


@dataclass(frozen=True, slots=True)
class Applying:
    """Applies revisions while the lock is held.

    Args:
        engine: that the revisions run on.
        options: for Alembic's context.
        limits: of time.
        run: takes note of what is applied.
        held: the lock.
    """

    engine: AsyncEngine
    options: Mapping[str, Any]
    limits: Limits
    run: Run
    held: HeldLock

    async def apply(self, step: RevisionStep) -> None:
        """Applies one revision, or reverts it.

        Args:
            step: the revision and the direction.

        Raises:
            MigrationLockError: the lock is lost.
            BlockedError: others did not let it have its locks.
            ResumableError: it failed after a part that can be repeated.
            PartlyAppliedError: it failed after a part that stays and cannot be repeated.
            CommandError: its connection is not fit for it.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        attempts = Attempts.of(step, self.limits)
        for number in count(1):
            await self.held.check()
            try:
                await self._attempt(attempts, number)
                break
            except Exception as error:  # noqa: BLE001 - all but what is tried again goes on
                pause = attempts.pause(error, number, clock() - began)
            await asyncio.sleep(pause)
        self._done(step, clock() - began)

    async def _attempt(self, attempts: Attempts, number: int) -> None:
        limits, revision = attempts.limits, attempts.revision
        async with self.engine.connect() as connection:
            pid = await prepare(connection, revision, limits, number)
            async with watching(self.held, pid, revision, limits.lock_timeout(number)) as watch:
                attempts.begin(watch)
                await connection.run_sync(self._run, attempts)

    def _run(self, connection: Connection, attempts: Attempts) -> None:
        event.listen(connection, "before_cursor_execute", self.held.guard)
        attempts.listen(connection)
        run_steps(connection, self.options, [attempts.step])

    def _done(self, step: RevisionStep, seconds: float) -> None:
        self.run.applied.append(step.revision.revision)
        way = "" if step.is_upgrade else "reverted "
        title = (step.doc or "").partition("\n")[0]
        _log.info("%s  %s%s  %.2f s", step.revision.revision, way, title, seconds)


def run_steps(
    connection: Connection, options: Mapping[str, Any], steps: list[MigrationStep] | None
) -> None:
    """Runs Alembic on a connection, inside of env.py.

    Args:
        connection: not in a transaction.
        options: for Alembic's context.
        steps: what to run; an empty list only makes the table of the version, None runs what
            Alembic was asked for.
    """
    given: dict[str, Any] = {} if steps is None else {"fn": lambda *_: iter(steps)}
    context.configure(connection=connection, transaction_per_migration=True, **options, **given)
    with context.begin_transaction():
        context.run_migrations()
