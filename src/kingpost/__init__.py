"""Kingpost: the production backbone for FastAPI + PostgreSQL services.

The package is imported by subject, so that a service pays only for what it uses:
`kingpost.database`, `kingpost.projection`, `kingpost.pagination`, `kingpost.problems`,
`kingpost.http`, `kingpost.security`, `kingpost.idempotency`, `kingpost.ratelimit`,
`kingpost.observability`, `kingpost.server`, `kingpost.migrations`, `kingpost.embedded`,
`kingpost.testing`.
"""

__version__ = "0.1.0"
