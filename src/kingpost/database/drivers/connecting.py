"""What both drivers need when they connect."""

import asyncio
import logging
import select
from collections.abc import Awaitable, Callable, Mapping, Sequence
from math import inf
from time import monotonic
from traceback import clear_frames
from typing import Any, Protocol

from kingpost.database.options import DatabaseOptions
from kingpost.problems import Unavailable

_LOG = logging.getLogger("kingpost.database")
_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL | getattr(select, "POLLRDHUP", 0)

# A peer that vanished without a word is noticed after about this many seconds (tcp(7)).
TCP_IDLE, TCP_INTERVAL, TCP_COUNT, TCP_USER_TIMEOUT = 5, 2, 3, 10

# How long a server has to end what was cancelled, before its connection is torn down.
CANCEL_SECONDS = 2.0

LOG_SECONDS = 1.0

# Plans that a direct connection keeps: one per statement of the service, and some to spare.
PREPARED_STATEMENTS = 256


class DirectConnection(Protocol):
    """A connection of a driver on which every statement is a transaction by itself."""

    @property
    def fetch(self) -> Callable[..., Awaitable[Sequence[Any]]]:
        """Sends one prepared statement with its arguments and gives its rows."""
        ...

    def is_dead(self) -> bool:
        """Whether either side has hung up, seen without a round trip."""
        ...

    async def close(self) -> None:
        """Ends the connection, and what still runs on it on the server, within seconds."""
        ...

    def abort(self) -> None:
        """Ends the connection at once."""
        ...


class HangUp:
    """Watches a socket for the other side hanging up.

    Args:
        number: the file descriptor.
    """

    def __init__(self, number: int) -> None:
        self._poll = select.poll()
        self._poll.register(number, select.POLLIN | _GONE)

    def happened(self) -> bool:
        """Whether it did; costs a system call."""
        return any(what & _GONE for _, what in self._poll.poll(0))


# A statement that is planned once runs alike for all values, and costs the server half as much:
# PostgreSQL plans a page after a cursor, or an array of keys, anew each time if it may choose
# ("PREPARE", Notes).
DIRECT_SETTINGS: Mapping[str, str] = {"plan_cache_mode": "force_generic_plan"}
NO_MORE: Mapping[str, str] = {}


def settings_sql(options: DatabaseOptions, more: Mapping[str, str] = NO_MORE) -> str:
    """One simple query after connecting: PgBouncer refuses them as startup parameters.

    Args:
        options: the timeouts.
        more: further settings of the session.
    """
    if options.pooler == "pgbouncer":
        return ""
    settings = {**options.session_settings(), **more}
    return "; ".join(f"SET {name} TO '{value}'" for name, value in settings.items())


def limited(
    connect: Callable[..., Awaitable[Any]], options: DatabaseOptions, *failures: type[Exception]
) -> Callable[..., Awaitable[Any]]:
    """Bounds a connect and says Unavailable, as asyncpg lets a bare OSError through.

    Args:
        connect: opens a connection.
        options: has the limit.
        *failures: what the driver raises when it cannot connect.

    Returns:
        The same with a limit.
    """
    expected: tuple[type[Exception], ...] = (OSError, TimeoutError, *failures)

    async def bounded(*args: Any, **kwargs: Any) -> Any:
        try:
            async with asyncio.timeout(options.connect_timeout):
                return await _forgotten_if_it_fails(connect(*args, **kwargs))
        except expected as error:
            reason = str(error) or f"no answer within {options.connect_timeout:g} s"
            _failures.tell(reason)
            raise Unavailable("the database cannot be reached") from error

    return bounded


class FailureLog:
    """Says why there is no connection, at most once a second: in an outage each request fails.

    Args:
        clock: in seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._again = -inf
        self._count = 0

    def tell(self, reason: str) -> None:
        """Takes note of a failure.

        Args:
            reason: why no connection could be opened.
        """
        self._count += 1
        now = self._clock()
        if now < self._again:
            return
        _LOG.warning("cannot connect to the database: %s (%d since last told)", reason, self._count)
        self._again = now + LOG_SECONDS
        self._count = 0


_failures = FailureLog()  # of the process: it has several pools, and one database


async def _forgotten_if_it_fails(connecting: Awaitable[Any]) -> Any:
    """Psycopg closes what it has begun when nothing refers to it, and a traceback would."""
    try:
        return await connecting
    except BaseException as error:
        clear_frames(error.__traceback__)
        raise
