"""Everything in which asyncpg and psycopg differ; no other package names a driver."""

from kingpost.database.drivers.choice import (
    compiling_dialect,
    connect_direct,
    driver_name,
    engine_arguments,
    is_dead,
    tear_down,
)
from kingpost.database.drivers.connecting import DirectConnection
from kingpost.database.drivers.errors import (
    column_name,
    constraint_name,
    detail,
    is_of_a_driver,
    is_stale_plan,
    is_unsent,
    sqlstate,
)

__all__ = [
    "DirectConnection",
    "column_name",
    "compiling_dialect",
    "connect_direct",
    "constraint_name",
    "detail",
    "driver_name",
    "engine_arguments",
    "is_dead",
    "is_of_a_driver",
    "is_stale_plan",
    "is_unsent",
    "sqlstate",
    "tear_down",
]
