"""Psycopg: how it connects, and how one sees that its connection is gone."""

from collections.abc import Awaitable, Callable, Mapping
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


def engine_arguments(options: DatabaseOptions) -> dict[str, Any]:
    """What `create_async_engine` is told for psycopg."""
    arguments = _parameters(options) | {"async_creator_fn": _creator(options)}
    if options.pooler == "pgbouncer":
        arguments["prepare_threshold"] = None
    # hstore costs a query on the first connection and is used by no service of ours
    return {"connect_args": arguments, "use_native_hstore": False}


def _parameters(options: DatabaseOptions) -> dict[str, Any]:
    return {
        "application_name": options.application_name,
        "keepalives_idle": TCP_IDLE,
        "keepalives_interval": TCP_INTERVAL,
        "keepalives_count": TCP_COUNT,
        "tcp_user_timeout": TCP_USER_TIMEOUT * 1000,
    }


async def connect_direct(
    options: DatabaseOptions, arguments: Mapping[str, Any]
) -> "PsycopgConnection":
    """Opens a direct connection.

    Args:
        options: what the service asked for.
        arguments: those of the URL.
    """
    connect = _creator(options, DIRECT_SETTINGS, autocommit=True)
    return PsycopgConnection(await connect(**(dict(arguments) | _parameters(options))))


class PsycopgConnection:
    """A direct connection of psycopg.

    One raw cursor lives as long as the connection: a new one per statement costs a tenth more,
    one that rewrites placeholders a third more.

    Args:
        connection: open, in autocommit, and used by nobody else.
    """

    def __init__(self, connection: Any) -> None:
        from psycopg import AsyncRawCursor  # noqa: PLC0415 - only one driver needs to be there

        connection.prepared_max = PREPARED_STATEMENTS
        self._connection = connection
        self._cursor = AsyncRawCursor(connection)
        self._hang_up = HangUp(connection.fileno())

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        """Sends one prepared statement.

        Args:
            sql: with `$1` for the first argument.
            *arguments: the values.

        Returns:
            The rows as tuples; none for a statement that returns nothing.
        """
        cursor = self._cursor
        await cursor.execute(sql, arguments, prepare=True)
        return await cursor.fetchall() if cursor.rownumber is not None else []

    def is_dead(self) -> bool:
        """Whether either side has hung up, seen without a round trip."""
        return self._connection.closed or self._hang_up.happened()

    async def close(self) -> None:
        """Says goodbye; what ran was cancelled when its task was."""
        await self._connection.close()

    def abort(self) -> None:
        """Ends the connection at once."""
        self._connection.pgconn.finish()


def _creator(
    options: DatabaseOptions, more: Mapping[str, str] = NO_MORE, *, autocommit: bool = False
) -> Callable[..., Awaitable[Any]]:
    # only one of the drivers needs to be installed
    import psycopg  # noqa: PLC0415 - see above

    from kingpost.database.drivers.psycopg_connection import (  # noqa: PLC0415 - see above
        ImpatientConnection,
    )

    async def connect(*args: Any, **kwargs: Any) -> Any:
        connection = await ImpatientConnection.connect(*args, **kwargs, autocommit=True)
        try:
            if settings := settings_sql(options, more):
                await connection.execute(settings)
            await connection.set_autocommit(autocommit)
            connection.patience = CANCEL_SECONDS
        except BaseException:
            await connection.close()
            raise
        return connection

    return limited(connect, options, psycopg.Error)


def tear_down(connection: Any) -> None:
    """See `kingpost.database.drivers.tear_down`."""
    connection.patience = 0.0
    connection.hang_up()


def is_dead(connection: Any) -> bool:
    """See `kingpost.database.drivers.is_dead`."""
    number = -1 if connection.closed else connection.fileno()
    return number < 0 or HangUp(number).happened()
