"""What a `Database` is told by the service, and what it tells about its pool."""

from dataclasses import dataclass, field
from typing import Literal

from kingpost.database.url import check_url


@dataclass(frozen=True, slots=True)
class DatabaseOptions:
    """How to reach the database and how long to wait for it. Times are in seconds.

    Attributes:
        url: `postgresql+asyncpg://…` or `postgresql+psycopg://…`.
        pool_size: connections per process for transactions; there is no overflow.
        direct_pool_size: connections per process for statements that are a transaction by
            themselves, such as reads.
        acquire_timeout: longest wait for a free connection.
        connect_timeout: limit of opening a new connection, its session settings included.
        statement_timeout: PostgreSQL cancels a statement that runs longer (57014).
        lock_timeout: PostgreSQL gives up waiting for a lock after so long (55P03).
        idle_transaction_timeout: PostgreSQL ends a transaction that idles longer (25P03).
        pooler: `pgbouncer` if one in transaction mode sits in between.
        attempts: runs of a use case on serialization failure, deadlock or a lost connection.
        slow_statement: a statement that takes longer is logged.
        application_name: what `pg_stat_activity` shows.
    """

    url: str = field(repr=False)
    pool_size: int = 10
    direct_pool_size: int = 8
    acquire_timeout: float = 1.0
    connect_timeout: float = 3.0
    statement_timeout: float = 5.0
    lock_timeout: float = 2.0
    idle_transaction_timeout: float = 10.0
    pooler: Literal["none", "pgbouncer"] = "none"
    attempts: int = 4
    slow_statement: float = 0.5
    application_name: str = "kingpost"

    def __post_init__(self) -> None:
        check_url(self.url)

    def session_settings(self) -> dict[str, str]:
        """The PostgreSQL settings of each connection (PostgreSQL, "Client Connection Defaults")."""
        return {
            "statement_timeout": f"{self.statement_timeout * 1000:.0f}ms",
            "lock_timeout": f"{self.lock_timeout * 1000:.0f}ms",
            "idle_in_transaction_session_timeout": f"{self.idle_transaction_timeout * 1000:.0f}ms",
            "TimeZone": "UTC",  # psycopg returns timestamps in the zone of the session
        }


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """The connections of this process at one moment.

    Attributes:
        size: how many there may be.
        in_use: how many are checked out.
        waiting: how many tasks wait for one, be it a free or a new one.
    """

    size: int
    in_use: int
    waiting: int
