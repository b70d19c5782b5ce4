"""Operations for Alembic that stop nobody and can be repeated; importing this registers them."""

from kingpost.migrations.operations import (
    backfill,
    columns,
    constraints,
    indexes,
    not_null,
    types,
    unique,
)
from kingpost.migrations.operations.errors import OperationError

__all__ = [
    "OperationError",
    "backfill",
    "columns",
    "constraints",
    "indexes",
    "not_null",
    "types",
    "unique",
]
