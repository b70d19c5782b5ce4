"""Kingpost: the production backbone for FastAPI + PostgreSQL services.

The package is imported by subject, so that a service pays only for what it uses:
`kingpost.database`, `kingpost.pagination`, `kingpost.problems`, `kingpost.http`,
`kingpost.security`, `kingpost.observability`, `kingpost.server`, `kingpost.testing`.
"""

__version__ = "0.1.0"
