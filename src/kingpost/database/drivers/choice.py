"""Picks the driver that a URL names, or that a connection belongs to."""

from types import ModuleType
from typing import Any

from sqlalchemy.engine import Dialect, make_url

from kingpost.database.drivers import asyncpg, psycopg
from kingpost.database.drivers.connecting import DirectConnection
from kingpost.database.options import DatabaseOptions


def driver_name(url: str) -> str:
    """`asyncpg` or `psycopg`, from a checked URL."""
    return make_url(url).drivername.partition("+")[2]


def engine_arguments(options: DatabaseOptions) -> dict[str, Any]:
    """The arguments of `create_async_engine` that depend on the driver.

    Args:
        options: what the service asked for.

    Returns:
        `connect_args` and, where there are some, further keywords.
    """
    arguments: dict[str, Any] = _module(driver_name(options.url)).engine_arguments(options)
    return arguments


async def connect_direct(options: DatabaseOptions) -> DirectConnection:
    """Opens a connection for statements that need no SQLAlchemy, each its own transaction.

    Args:
        options: where to, and how long to wait for it.

    Returns:
        The open connection, its session settings made.

    Raises:
        Unavailable: the server cannot be reached, or not in time.
    """
    url = make_url(options.url)
    _, arguments = url.get_dialect()().create_connect_args(url)
    connection: DirectConnection = await _module(driver_name(options.url)).connect_direct(
        options, arguments
    )
    return connection


def compiling_dialect(name: str) -> Dialect:
    """The dialect that writes SQL as a direct connection takes it: parameters are `$1`, `$2`.

    Args:
        name: of the driver.

    Returns:
        A dialect that is connected to nothing.
    """
    kind: Any = make_url(f"postgresql+{name}://").get_dialect()
    # it makes the driver's own objects of ranges and the like
    dialect: Dialect = kind(paramstyle="numeric_dollar", dbapi=kind.import_dbapi())
    return dialect


def is_dead(connection: Any) -> bool:
    """Whether the server has already hung up, seen without a round trip.

    Args:
        connection: the driver's own connection.

    Returns:
        True if the socket is closed on either side.
    """
    if hasattr(connection, "is_closed"):
        return asyncpg.is_dead(connection)
    return psycopg.is_dead(connection)


def tear_down(connection: Any) -> None:
    """Ends a connection at once; what waits for an answer on it fails, or ends when cancelled.

    Args:
        connection: the driver's own connection, made here, which somebody else may be using.
    """
    (asyncpg if hasattr(connection, "is_closed") else psycopg).tear_down(connection)


def _module(name: str) -> ModuleType:
    return asyncpg if name == "asyncpg" else psycopg
