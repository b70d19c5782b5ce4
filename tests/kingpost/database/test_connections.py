import asyncio
import os
import socket
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from tests.kingpost.library import Author
from tests.kingpost.proxy import Proxy
from tests.kingpost.support import Counts, Open, Outside, Sql, until

from kingpost.database import Database, Query, Transaction
from kingpost.database.drivers import is_dead
from kingpost.problems import Busy, Unavailable

KILL_IDLE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'kingpost'
"""


# AuthenticationOk, two ParameterStatus, BackendKeyData and ReadyForQuery (PostgreSQL, chapter 54.7)
WELCOME = (
    b"R\0\0\0\x08\0\0\0\0S\0\0\0\x18server_version\x0018.0\0"
    b"S\0\0\0\x19client_encoding\0UTF8\0K\0\0\0\x0c\0\0\0\1\0\0\0\1Z\0\0\0\x05I"
)
NO_TLS = {"asyncpg": "ssl=disable", "psycopg": "sslmode=disable&gssencmode=disable"}
LAST_WORDS = b"E\0\0\0\x2fSFATAL\0VFATAL\0C57P01\0Mterminating session\0\0"


async def one(session: AsyncSession) -> Any:
    return await session.scalar(text("SELECT 1"))


async def emails(session: AsyncSession) -> list[str]:
    return list(await session.scalars(select(Author.email).order_by(Author.email)))


async def create(library: Database, email: str) -> None:
    async def use(tx: Transaction) -> None:
        tx.session.add(Author(email=email))

    await library.unit_of_work().run(use)


async def fill(library: Database) -> None:
    """Opens every connection of the pool."""
    everybody = asyncio.Barrier(library.options.pool_size)

    async def use(session: AsyncSession) -> None:
        await one(session)
        await everybody.wait()

    await asyncio.gather(*(library.read(use) for _ in range(library.options.pool_size)))


async def test_dead_connections_in_the_pool_cost_the_client_nothing(
    open_library: Open, library_url: str, sql: Sql, counts: Counts
) -> None:
    library = open_library(library_url, pool_size=5)
    made: list[Any] = []

    def remember(connection: Any, _: Any) -> None:
        made.append(connection.driver_connection)

    event.listen(library.engine.sync_engine, "connect", remember)
    for number in range(3):
        await fill(library)
        assert len(await sql(KILL_IDLE)) == 5
        await until(lambda: all(is_dead(connection) for connection in made))

        await asyncio.gather(*(library.read(emails) for _ in range(5)))
        await asyncio.gather(*(create(library, f"a{number}{n}@example.org") for n in range(5)))
    assert len(await library.read(emails)) == 15
    assert counts.retries == []


@pytest.mark.parametrize("dying", [1, 3, 1000])
async def test_connections_that_die_as_soon_as_they_are_made_are_only_unavailable(
    library: Database, counts: Counts, dying: int
) -> None:
    made: list[Any] = []

    def hang_up(connection: Any, _: Any) -> None:
        made.append(connection)
        if len(made) <= dying:
            with socket.socket(fileno=os.dup(_file_number(connection.driver_connection))) as wire:
                wire.shutdown(socket.SHUT_RDWR)

    event.listen(library.engine.sync_engine, "connect", hang_up)
    if dying == 1000:
        with pytest.raises(Unavailable):
            await create(library, "ada@example.org")
    else:
        await create(library, "ada@example.org")
        assert await library.read(emails) == ["ada@example.org"]
    assert bool(counts.retries) == (dying > 1)
    assert library.pool_status().in_use == 0


async def end_at_once(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
    """A server that ends a session in the moment in which it begins."""
    length = int.from_bytes(await client.readexactly(4), "big")
    await client.readexactly(length - 4)
    to_client.write(WELCOME + LAST_WORDS)
    await client.read(1)
    to_client.close()


async def test_a_session_that_is_ended_as_it_begins_is_only_unavailable(
    open_library: Open, driver: str
) -> None:
    async with await asyncio.start_server(end_at_once, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        library = open_library(f"postgresql+{driver}://x@127.0.0.1:{port}/x?{NO_TLS[driver]}")
        with pytest.raises(Unavailable):
            await create(library, "ada@example.org")
        with pytest.raises(Unavailable):
            await library.reads.fetch(Query(select(Author.email)))
        assert library.pool_status().in_use == 0
        await library.close()


async def test_a_read_that_loses_its_connection_is_run_again(
    library: Database, sql: Sql, counts: Counts
) -> None:
    runs: list[str] = []

    async def dies_once(session: AsyncSession) -> Any:
        runs.append("run")
        pid = await session.scalar(text("SELECT pg_backend_pid()"))
        if len(runs) == 1:
            await sql("SELECT pg_terminate_backend(:pid)", pid=pid)
        return await one(session)

    assert await library.read(dies_once) == 1
    assert len(runs) == 2
    assert len(counts.retries) == 1


async def test_a_read_that_loses_every_connection_is_unavailable_after_three_runs(
    library: Database, sql: Sql
) -> None:
    runs: list[str] = []

    async def dies(session: AsyncSession) -> Any:
        runs.append("run")
        pid = await session.scalar(text("SELECT pg_backend_pid()"))
        await sql("SELECT pg_terminate_backend(:pid)", pid=pid)
        return await one(session)

    with pytest.raises(Unavailable):
        await library.read(dies)
    assert len(runs) == 3


@pytest.mark.parametrize("change", ["TYPE varchar(400)", "TYPE text"])
async def test_a_changed_column_type_costs_the_client_nothing(
    open_library: Open, own_library_url: str, change: str
) -> None:
    library = open_library(own_library_url, pool_size=3)
    await create(library, "ada@example.org")
    for _ in range(10):  # until both drivers have prepared the statements on each connection
        await _read_everywhere(library)
    async with Outside(own_library_url) as sql:
        await sql(f"ALTER TABLE authors ALTER COLUMN email {change}")
        await _read_everywhere(library)
        await sql("ALTER TABLE authors ADD COLUMN more text")
        await _read_everywhere(library)


async def _read_everywhere(library: Database) -> None:
    """On every connection of the pool, without and with a transaction."""
    size = library.options.pool_size
    read, written = _Together(size), _Together(size)
    work = library.unit_of_work()
    answers = await asyncio.gather(*(library.read(read) for _ in range(size)))
    answers += await asyncio.gather(
        *(work.run(lambda tx: written(tx.session)) for _ in range(size))
    )
    assert answers == [["ada@example.org"]] * 2 * size


class _Together:
    """Reads when every connection of the pool is taken; a repeated run waits for nobody."""

    def __init__(self, size: int) -> None:
        self._missing = size
        self._all_here = asyncio.Event()

    async def __call__(self, session: AsyncSession) -> list[str]:
        await session.connection()
        self._missing -= 1
        if self._missing == 0:
            self._all_here.set()
        await self._all_here.wait()
        return await emails(session)


async def test_an_empty_pool_is_busy_within_the_acquire_timeout(
    open_library: Open, library_url: str
) -> None:
    library = open_library(library_url, pool_size=1, acquire_timeout=0.2)
    taken, free = asyncio.Event(), asyncio.Event()

    async def hold(session: AsyncSession) -> None:
        await one(session)
        taken.set()
        await free.wait()

    holder = asyncio.create_task(library.read(hold))
    await asyncio.wait_for(taken.wait(), 30)
    waiter = asyncio.create_task(library.read(one))
    await until(lambda: library.pool_status().waiting == 1)
    status = library.pool_status()
    assert (status.size, status.in_use, status.waiting) == (1, 1, 1)

    with pytest.raises(Busy, match="in use"):
        await waiter
    assert library.pool_status().waiting == 0
    free.set()
    await holder
    assert await library.read(one) == 1


async def test_a_silent_server_leaks_nothing_once_the_request_is_given_up(
    open_library: Open, proxy: Proxy
) -> None:
    library = open_library(proxy.url, pool_size=2)
    await library.ping()
    proxy.freeze()

    async def write(tx: Transaction) -> Any:
        return await one(tx.session)

    given_up = [
        asyncio.create_task(library.read(one)),
        asyncio.create_task(library.unit_of_work().run(write)),
    ]
    await until(lambda: library.pool_status().in_use == 2)
    for task in given_up:
        task.cancel()
    await until(lambda: library.pool_status().in_use == 0)
    proxy.thaw()
    await asyncio.wait(given_up)
    assert all(task.cancelled() for task in given_up)
    assert await library.read(one) == 1


async def test_connecting_to_a_silent_server_ends_at_the_connect_timeout(
    open_library: Open, proxy: Proxy
) -> None:
    library = open_library(proxy.url, connect_timeout=0.2)
    proxy.freeze()

    with pytest.raises(Unavailable, match="cannot be reached"):
        await library.read(one)
    assert library.pool_status().in_use == 0


async def test_a_ping_of_a_silent_server_ends_at_the_connect_timeout(
    open_library: Open, proxy: Proxy
) -> None:
    library = open_library(proxy.url, connect_timeout=0.2)
    await library.ping()
    proxy.freeze()

    with pytest.raises(Unavailable, match="does not answer"):
        await library.ping()
    proxy.thaw()
    await until(lambda: library.pool_status().in_use == 0)
    await library.ping()


async def test_the_timeouts_are_set_on_every_connection(
    open_library: Open, library_url: str
) -> None:
    library = open_library(
        library_url, statement_timeout=4, lock_timeout=1.5, idle_transaction_timeout=7
    )

    async def settings(session: AsyncSession) -> list[Any]:
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        return [
            await session.scalar(text(f"SHOW {name}"))
            for name in (*names, "TimeZone", "application_name")
        ]

    assert await library.read(settings) == ["4s", "1500ms", "7s", "UTC", "kingpost"]
    assert await library.unit_of_work().run(lambda tx: settings(tx.session)) == [
        "4s",
        "1500ms",
        "7s",
        "UTC",
        "kingpost",
    ]


async def test_a_tcp_peer_that_vanishes_is_noticed_by_the_system(
    open_library: Open, proxy: Proxy
) -> None:
    async with proxy.over_tcp() as url:
        library = open_library(url)
        made: list[Any] = []

        def remember(connection: Any, _: Any) -> None:
            made.append(connection.driver_connection)

        event.listen(library.engine.sync_engine, "connect", remember)
        await library.read(one)
        with socket.socket(fileno=os.dup(_file_number(made[0]))) as connected:
            options = [
                connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
            ]
        assert options == [1, 5, 10_000]
        await library.close()


def _file_number(connection: Any) -> int:
    if hasattr(connection, "fileno"):
        return int(connection.fileno())
    return int(connection._transport.get_extra_info("socket").fileno())


async def test_a_pool_of_a_closed_database_opens_again_when_it_is_used(library: Database) -> None:
    await library.ping()
    await library.close()
    assert library.pool_status().in_use == 0
    await library.ping()


async def test_a_read_by_key_is_one_round_trip(open_library: Open, proxy: Proxy) -> None:
    library = open_library(proxy.url)
    await create(library, "ada@example.org")

    async def by_key(session: AsyncSession) -> Any:
        return await session.scalar(select(Author.name).where(Author.email == "ada@example.org"))

    for _ in range(8):
        await library.read(by_key)
    proxy.round_trips.clear()
    await library.read(by_key)
    assert len(proxy.round_trips) == 1, proxy.round_trips


async def test_an_insert_with_its_audit_row_is_four_round_trips(
    open_library: Open, proxy: Proxy
) -> None:
    library = open_library(proxy.url)
    for number in range(8):
        await create(library, f"{number}@example.org")
    proxy.round_trips.clear()
    await create(library, "ada@example.org")
    assert len(proxy.round_trips) == 4, proxy.round_trips
