"""Why a migration has not come to its end; each says what is applied and what to do."""

from typing import ClassVar

from alembic.util import CommandError


class MigrationError(CommandError):
    """A migration stopped; the message is one line.

    Attributes:
        exit_code: what `kingpost db upgrade` exits with.
    """

    exit_code: ClassVar[int] = 1


class MigrationLockError(MigrationError):
    """Another process migrates, or the connection with the lock is lost."""

    exit_code = 4


class BlockedError(MigrationError):
    """Others held a lock that a revision needs until patience ran out; it has done nothing."""

    exit_code = 5


class ResumableError(MigrationError):
    """A revision failed after a part that can be repeated: to run it again goes on from there."""

    exit_code = 3


class PartlyAppliedError(MigrationError):
    """A revision failed after a part that stays and that cannot be repeated."""

    exit_code = 6


class ContractError(MigrationError):
    """The way to the wanted revision leads through a contract, which was not allowed."""

    exit_code = 2
