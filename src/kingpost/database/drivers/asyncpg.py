"""Asyncpg: how it connects, and how one sees that its connection is gone."""

import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from kingpost.database.drivers.connecting import (
    CANCEL_SECONDS,
    DIRECT_SETTINGS,
    NO_MORE,
    PREPARED_STATEMENTS,
    TCP_COUNT,
    TCP_IDLE,
    TCP_INTERVAL,
    TCP_USER_TIMEOUT,
    HangUp,
    limited,
    settings_sql,
)
from kingpost.database.options import DatabaseOptions

_OF_SQLALCHEMY = ("prepared_statement_cache_size", "prepared_statement_name_func")


def engine_arguments(options: DatabaseOptions) -> dict[str, Any]:
    """What `create_async_engine` is told for asyncpg."""
    arguments: dict[str, Any] = {
        "server_settings": {"application_name": options.application_name},
        "async_creator_fn": _creator(options),
    }
    if options.pooler == "pgbouncer":
        # Without caches both layers use the unnamed statement; a name would stay behind on a
        # server connection that belongs to others a moment later.
        arguments |= {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
    return {"connect_args": arguments}


async def connect_direct(
    options: DatabaseOptions, arguments: Mapping[str, Any]
) -> "AsyncpgConnection":
    """Opens a direct connection.

    Args:
        options: what the service asked for.
        arguments: those of the URL.
    """
    own = {key: value for key, value in arguments.items() if key not in _OF_SQLALCHEMY}
    caching = {
        "statement_cache_size": PREPARED_STATEMENTS,
        "max_cached_statement_lifetime": 0,  # a statement of a service is never done with
        "max_cacheable_statement_size": 0,  # no limit: a projection may be long
    }
    settings = {"application_name": options.application_name}
    connect = _creator(options, DIRECT_SETTINGS)
    return AsyncpgConnection(await connect(**(caching | own), server_settings=settings))


class AsyncpgConnection:
    """A direct connection of asyncpg, which prepares every statement by itself.

    Args:
        connection: open, and used by nobody else.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._is_closed: Callable[[], bool] = connection.is_closed
        self._hang_up = HangUp(_socket(connection).fileno())
        self.fetch: Callable[..., Awaitable[list[Any]]] = connection.fetch

    def is_dead(self) -> bool:
        """Whether either side has hung up, seen without a round trip."""
        return self._is_closed() or self._hang_up.happened()

    async def close(self) -> None:
        """Cancels what still runs, then says goodbye."""
        with suppress(Exception):  # asyncpg has then aborted the connection
            await self._connection.close(timeout=CANCEL_SECONDS)

    def abort(self) -> None:
        """Ends the connection at once."""
        self._connection.terminate()


def _creator(
    options: DatabaseOptions, more: Mapping[str, str] = NO_MORE
) -> Callable[..., Awaitable[Any]]:
    # only one of the drivers needs to be installed, and asyncpg has no types
    import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415 - see above

    async def connect(*args: Any, **kwargs: Any) -> Any:
        connection = await asyncpg.connect(*args, **kwargs)
        try:
            _keep_alive(_socket(connection))
            if settings := settings_sql(options, more):
                await connection.execute(settings)
        except BaseException:
            connection.terminate()
            raise
        return connection

    failures = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    return limited(connect, options, *failures)


def tear_down(connection: Any) -> None:
    """See `kingpost.database.drivers.tear_down`."""
    connection.terminate()


def is_dead(connection: Any) -> bool:
    """See `kingpost.database.drivers.is_dead`."""
    connected = None if connection.is_closed() else _socket(connection)
    number = -1 if connected is None else connected.fileno()
    return number < 0 or HangUp(number).happened()


def _socket(connection: Any) -> Any:
    transport = connection._transport
    return None if transport is None else transport.get_extra_info("socket")


def _keep_alive(connected: socket.socket | None) -> None:
    """Does for asyncpg what libpq does by parameters."""
    if connected is None or connected.family == getattr(socket, "AF_UNIX", None):
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", TCP_IDLE),
        ("TCP_KEEPINTVL", TCP_INTERVAL),
        ("TCP_KEEPCNT", TCP_COUNT),
        ("TCP_USER_TIMEOUT", TCP_USER_TIMEOUT * 1000),
    ):
        if (option := getattr(socket, name, None)) is not None:  # not every system has them all
            connected.setsockopt(socket.IPPROTO_TCP, option, value)
