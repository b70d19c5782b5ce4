"""Alembic for a service: its environment, its revisions, and the way to run them from code."""

from kingpost.migrations.errors import MigrationError
from kingpost.migrations.limits import Limits
from kingpost.migrations.runner import downgrade, upgrade

__all__ = ["Limits", "MigrationError", "downgrade", "upgrade"]
