"""What an operation cannot do."""

from alembic.util import CommandError


class OperationError(CommandError):
    """An operation found what it must not touch, or data that forbids it; says what to do."""
