"""A real PostgreSQL from a wheel, for development and tests: no port, no password."""

from kingpost.embedded.errors import EmbeddedError
from kingpost.embedded.postgres import EmbeddedPostgres

__all__ = ["EmbeddedError", "EmbeddedPostgres"]
