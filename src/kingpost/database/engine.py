"""How the engine is made: its pool, its connections, what happens at checkout."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, ExceptionContext
from sqlalchemy.exc import DisconnectionError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.util.queue import QueueCommon

from kingpost.database import drivers
from kingpost.database.failures import ConnectionLost
from kingpost.database.fair_queue import FairQueue
from kingpost.database.options import DatabaseOptions, PoolStatus
from kingpost.problems import Invalid

_READ_ONLY_SERVER = "25006"


class CountingPool(AsyncAdaptedQueuePool):
    """A fair pool that knows how many tasks wait for a connection."""

    _queue_class: type[QueueCommon[ConnectionPoolEntry]] = FairQueue
    waiting = 0

    def connect(self) -> PoolProxiedConnection:
        """Checks out a connection, counted as waiting until there is one.

        Raises:
            ConnectionLost: even those that were made for it just now are dead.
        """
        self.waiting += 1
        try:
            return super().connect()
        except InvalidRequestError as error:  # of SQLAlchemy, when two in a row are dead
            raise ConnectionLost from error
        finally:
            self.waiting -= 1


def make_engine(options: DatabaseOptions) -> AsyncEngine:
    """An engine that never connects before it is asked to.

    Args:
        options: where the database is, and how long to wait for it.

    Returns:
        The engine for transactions; `kingpost.database.Database` derives the one for reads.
    """
    engine = create_async_engine(
        options.url,
        poolclass=CountingPool,
        pool_size=options.pool_size,
        max_overflow=0,
        pool_timeout=options.acquire_timeout,
        pool_use_lifo=True,
        hide_parameters=True,  # values of users have no place in exceptions and logs
        **drivers.engine_arguments(options),
    )
    event.listen(engine.sync_engine, "checkout", _refuse_dead_connection)
    event.listen(engine.sync_engine, "handle_error", _classify)
    return engine


def pool_status(engine: AsyncEngine) -> PoolStatus:
    """The state of an engine's pool right now."""
    pool = engine.pool
    if not isinstance(pool, CountingPool):
        raise TypeError("the engine was not made by kingpost")
    return PoolStatus(size=pool.size(), in_use=pool.checkedout(), waiting=pool.waiting)


def is_dead(connection: Connection) -> bool:
    """Whether a checked out connection was closed by the server, without asking it."""
    return connection.invalidated or drivers.is_dead(connection.connection.driver_connection)


def _refuse_dead_connection(dbapi_connection: Any, _record: Any, _proxy: Any) -> None:
    """At checkout, costs no round trip; SQLAlchemy then connects anew."""
    if drivers.is_dead(dbapi_connection.driver_connection):
        raise DisconnectionError


def _classify(context: ExceptionContext) -> BaseException | None:
    """Says what SQLAlchemy cannot know about a failure."""
    error = context.original_exception
    # The other connections are checked when they are taken; no need to throw them all away.
    context.invalidate_pool_on_disconnect = False
    if drivers.is_stale_plan(error):
        context.is_disconnect = True  # psycopg would fail on this connection for ever
    elif drivers.sqlstate(error) == _READ_ONLY_SERVER:
        context.is_disconnect = context.invalidate_pool_on_disconnect = True  # a failover
    elif isinstance(error, UnicodeEncodeError):
        # psycopg's own encoding of a lone surrogate; SQLAlchemy would let it through bare
        return Invalid("a text has characters that cannot be stored")
    return None


def set_locally(connection: Connection, options: DatabaseOptions) -> None:
    """Sets the timeouts for one transaction: behind PgBouncer a session is not ours.

    Args:
        connection: in a transaction that has just begun.
        options: the timeouts.
    """
    calls = ", ".join(
        f"set_config('{name}', '{value}', true)"
        for name, value in options.session_settings().items()
    )
    connection.exec_driver_sql(f"SELECT {calls}")
