"""Alembic for a service: its environment, its revisions, and the way to run them from code."""

from kingpost.migrations.runner import downgrade, upgrade

__all__ = ["downgrade", "upgrade"]
