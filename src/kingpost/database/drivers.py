"""Everything in which asyncpg and psycopg differ; no other module names a driver."""

import asyncio
import logging
import select
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from sqlalchemy.engine import make_url

from kingpost.database.options import DatabaseOptions
from kingpost.problems import Unavailable

_LOG = logging.getLogger("kingpost.database")
_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL | getattr(select, "POLLRDHUP", 0)
_STALE_PLAN = ("cached plan must not change", "cached statement plan is invalid")
_NUL_IN_TEXT = "22021"

# A peer that vanished without a word is noticed after about this many seconds (tcp(7)).
_TCP_IDLE, _TCP_INTERVAL, _TCP_COUNT, _TCP_USER_TIMEOUT = 5, 2, 3, 10


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
    if driver_name(options.url) == "asyncpg":
        return {"connect_args": _asyncpg_arguments(options)}
    # hstore costs a query on the first connection and is used by no service of ours
    return {"connect_args": _psycopg_arguments(options), "use_native_hstore": False}


def _asyncpg_arguments(options: DatabaseOptions) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "server_settings": {"application_name": options.application_name},
        "async_creator_fn": _asyncpg_creator(options),
    }
    if options.pooler == "pgbouncer":
        # Without caches both layers use the unnamed statement; a name would stay behind on a
        # server connection that belongs to others a moment later.
        arguments |= {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
    return arguments


def _psycopg_arguments(options: DatabaseOptions) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "application_name": options.application_name,
        "async_creator_fn": _psycopg_creator(options),
        "keepalives_idle": _TCP_IDLE,
        "keepalives_interval": _TCP_INTERVAL,
        "keepalives_count": _TCP_COUNT,
        "tcp_user_timeout": _TCP_USER_TIMEOUT * 1000,
    }
    if options.pooler == "pgbouncer":
        arguments["prepare_threshold"] = None
    return arguments


def _asyncpg_creator(options: DatabaseOptions) -> Callable[..., Awaitable[Any]]:
    # only one of the drivers needs to be installed, and asyncpg has no types
    import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415 - see above

    async def connect(*args: Any, **kwargs: Any) -> Any:
        connection = await asyncpg.connect(*args, **kwargs)
        try:
            _keep_alive(_asyncpg_socket(connection))
            if settings := _settings_sql(options):
                await connection.execute(settings)
        except BaseException:
            connection.terminate()
            raise
        return connection

    return _limited(connect, options, asyncpg.PostgresError, asyncpg.InterfaceError)


def _psycopg_creator(options: DatabaseOptions) -> Callable[..., Awaitable[Any]]:
    import psycopg  # noqa: PLC0415 - only one of the drivers needs to be installed

    async def connect(*args: Any, **kwargs: Any) -> Any:
        connection = await psycopg.AsyncConnection.connect(*args, **kwargs, autocommit=True)
        try:
            if settings := _settings_sql(options):
                await connection.execute(settings)
            await connection.set_autocommit(False)
        except BaseException:
            await connection.close()
            raise
        return connection

    return _limited(connect, options, psycopg.Error)


def _settings_sql(options: DatabaseOptions) -> str:
    """One simple query after connecting: PgBouncer refuses them as startup parameters."""
    if options.pooler == "pgbouncer":
        return ""
    return "; ".join(f"SET {k} TO '{v}'" for k, v in options.session_settings().items())


def _limited(
    connect: Callable[..., Awaitable[Any]], options: DatabaseOptions, *failures: type[Exception]
) -> Callable[..., Awaitable[Any]]:
    """Bounds a connect and says Unavailable, as asyncpg lets a bare OSError through."""
    expected: tuple[type[Exception], ...] = (OSError, TimeoutError, *failures)

    async def limited(*args: Any, **kwargs: Any) -> Any:
        try:
            async with asyncio.timeout(options.connect_timeout):
                return await connect(*args, **kwargs)
        except expected as error:
            reason = str(error) or f"no answer within {options.connect_timeout:g} s"
            _LOG.warning("cannot connect to the database: %s", reason)
            raise Unavailable("the database cannot be reached") from error

    return limited


def _asyncpg_socket(connection: Any) -> socket.socket | None:
    transport = connection._transport
    return None if transport is None else transport.get_extra_info("socket")


def _keep_alive(connected: socket.socket | None) -> None:
    """Does for asyncpg what libpq does by parameters."""
    if connected is None or connected.family == getattr(socket, "AF_UNIX", None):
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", _TCP_IDLE),
        ("TCP_KEEPINTVL", _TCP_INTERVAL),
        ("TCP_KEEPCNT", _TCP_COUNT),
        ("TCP_USER_TIMEOUT", _TCP_USER_TIMEOUT * 1000),
    ):
        if (option := getattr(socket, name, None)) is not None:  # not every system has them all
            connected.setsockopt(socket.IPPROTO_TCP, option, value)


def is_dead(connection: Any) -> bool:
    """Whether the server has already hung up, seen without a round trip.

    Args:
        connection: the driver's own connection.

    Returns:
        True if the socket is closed on either side.
    """
    if hasattr(connection, "is_closed"):
        connected = None if connection.is_closed() else _asyncpg_socket(connection)
        number = -1 if connected is None else connected.fileno()
    else:
        number = -1 if connection.closed else connection.fileno()
    if number < 0:
        return True
    poll = select.poll()
    poll.register(number, select.POLLIN | _GONE)
    return any(happened & _GONE for _, happened in poll.poll(0))


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of a failure (PostgreSQL, appendix A), however deep the driver has put it.

    Args:
        error: of SQLAlchemy or of a driver.

    Returns:
        Five characters, or None if the failure has none.
    """
    for cause in _causes(error):
        if state := getattr(cause, "sqlstate", None):
            return str(state)
        if _is_psycopg_data_error(cause):
            return _NUL_IN_TEXT
    return None


def constraint_name(error: BaseException) -> str | None:
    """The name of the violated constraint, if the server told one."""
    return _told(error, "constraint_name")


def column_name(error: BaseException) -> str | None:
    """The name of the column at fault; the server tells it for NOT NULL."""
    return _told(error, "column_name")


def detail(error: BaseException) -> str | None:
    """The server's DETAIL: it holds values and is localised, so show it to nobody."""
    return _told(error, "detail") or _told(error, "message_detail")


def is_stale_plan(error: BaseException) -> bool:
    """Whether a prepared statement no longer fits the schema (0A000, told apart by its text)."""
    return any(mark in str(error) for mark in _STALE_PLAN)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = getattr(error, "orig", None) or error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _told(error: BaseException, name: str) -> str | None:
    for cause in _causes(error):
        for holder in (getattr(cause, "diag", None), cause):
            if value := getattr(holder, name, None):
                return str(value)
    return None


def _is_psycopg_data_error(error: BaseException) -> bool:
    """Psycopg refuses a NUL in text by itself, without a code."""
    kind = type(error)
    return kind.__name__ == "DataError" and kind.__module__.startswith("psycopg")
