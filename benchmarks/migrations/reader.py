"""A report that reads both tables, and takes its time to end its transaction."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from benchmarks.migrations.clock import Clock

_LOOK_SECONDS = 0.05
_MOST_SECONDS = 30.0
_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE :pid = ANY(pg_blocking_pids(pid))")


@dataclass
class Reader:
    """A transaction that holds ACCESS SHARE on both tables, and a snapshot, as pg_dump does.

    Attributes:
        began: seconds of the clock.
        met: when somebody began to wait for it; None as long as nobody has.
        ended: when it ended.
    """

    began: float
    met: float | None = None
    ended: float = 0.0


@asynccontextmanager
async def long_reader(
    url: str, clock: Clock, enough: Callable[[float], bool]
) -> AsyncIterator[Reader]:
    """Reads, and is in the way until it has been so for long enough, half a minute at most.

    Args:
        url: of the database.
        clock: the time.
        enough: asked with the seconds since somebody has met it.

    Yields:
        The reader, which has read.
    """
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="REPEATABLE READ")
    async with engine.connect() as connection, engine.connect() as beside:
        pid = await connection.scalar(text("SELECT pg_backend_pid()"))
        for table in ("users", "posts"):
            await connection.execute(text(f"SELECT id FROM {table} LIMIT 1"))
        reader = Reader(clock())
        watching = await beside.execution_options(isolation_level="AUTOCOMMIT")
        lasting = asyncio.create_task(_last(reader, (connection, pid), watching, clock, enough))
        try:
            yield reader
        finally:
            lasting.cancel()
            with suppress(asyncio.CancelledError):
                await lasting
            reader.ended = reader.ended or clock()
    await engine.dispose()


async def _last(
    reader: Reader,
    reading: tuple[AsyncConnection, int],
    watching: AsyncConnection,
    clock: Clock,
    enough: Callable[[float], bool],
) -> None:
    connection, pid = reading

    async def over() -> bool:
        if reader.met is None:
            found = await watching.scalar(_WAITING, {"pid": pid})
            reader.met = clock() if found else None
            return False
        seconds = clock() - reader.met
        return seconds >= _MOST_SECONDS or enough(seconds)

    while not await over():  # noqa: ASYNC110 - PostgreSQL has to be asked who waits
        await asyncio.sleep(_LOOK_SECONDS)
    await connection.rollback()
    reader.ended = clock()
