"""The pool of direct connections: fair, bounded, and healed by itself."""

import asyncio
import socket
from typing import Any

import pytest
from sqlalchemy import String, bindparam, column, func, select, table
from sqlalchemy.engine import make_url
from tests.kingpost.library import Author
from tests.kingpost.proxy import Proxy
from tests.kingpost.support import Counts, Open, Outside, Sql, until

from kingpost.context import RequestContext, current_request
from kingpost.database import Database, Query
from kingpost.problems import Busy, Unavailable

EMAILS = Query(select(Author.email).order_by(Author.email))
SLEEP = Query(select(func.pg_sleep(bindparam("seconds"))))
BACKENDS = """
    SELECT pid, state FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'kingpost'
"""
KILL = BACKENDS.replace("pid, state", "pg_terminate_backend(pid)")


async def emails(library: Database) -> list[str]:
    return [row[0] for row in await library.reads.fetch(EMAILS)]


async def fill(library: Database) -> list[Any]:
    """Opens every connection of the pool and gives it back unused."""
    assert library.direct is not None
    size = library.options.direct_pool_size
    held = await asyncio.gather(*(library.direct.acquire() for _ in range(size)))
    for connection in held:
        library.direct.give_back(connection)
    return list(held)


async def read_everywhere(library: Database) -> None:
    """Sends the query on each connection of the pool."""
    assert library.direct is not None
    statement = EMAILS.compiled(library.direct.driver)
    size = library.options.direct_pool_size
    for connection in [await library.direct.acquire() for _ in range(size)]:
        await library.direct.send(connection, statement, [])


async def test_nothing_connects_before_it_is_used(library: Database, sql: Sql) -> None:
    assert await sql(BACKENDS) == []
    assert library.direct_status().in_use == 0

    await emails(library)

    assert len(await sql(BACKENDS)) == 1


async def test_the_settings_are_made_on_every_connection(
    open_library: Open, library_url: str
) -> None:
    library = open_library(
        library_url, statement_timeout=4, lock_timeout=1.5, idle_transaction_timeout=7
    )
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    query = Query(
        select(*(func.current_setting(n) for n in (*names, "TimeZone", "application_name")))
    )

    ((*settings,),) = await library.reads.fetch(query)

    assert settings == ["4s", "1500ms", "7s", "UTC", "kingpost"]


async def test_a_statement_is_planned_once_for_all_its_values(
    open_library: Open, library_url: str
) -> None:
    library = open_library(library_url, direct_pool_size=1)
    after = Query(
        select(Author.email)
        .where(Author.email > bindparam("email"))
        .order_by(Author.email)
        .limit(20)
    )
    plans = Query(
        select(column("custom_plans"))
        .select_from(table("pg_prepared_statements"))
        .where(column("statement", String).contains("ORDER BY authors.email"))
    )

    for number in range(10):
        await library.reads.fetch(after, {"email": f"{number}@example.org"})

    assert [row[0] for row in await library.reads.fetch(plans)] == [0]


@pytest.mark.parametrize("at_once", [1, 50])
async def test_killed_backends_cost_the_client_nothing(
    open_library: Open, library_url: str, sql: Sql, counts: Counts, at_once: int
) -> None:
    library = open_library(library_url, direct_pool_size=5)
    for _ in range(3):
        connections = await fill(library)
        assert len(await sql(KILL)) == 5
        await until(lambda held=connections: all(one.is_dead() for one in held))

        for _ in range(50 // at_once):
            found = await asyncio.gather(*(emails(library) for _ in range(at_once)))
            assert found == [[]] * at_once
    assert counts.retries == []


async def test_backends_killed_while_they_are_asked_cost_the_client_nothing(
    open_library: Open, proxy: Proxy, sql: Sql, counts: Counts
) -> None:
    library = open_library(proxy.url, direct_pool_size=5)
    await fill(library)
    proxy.freeze()
    reads = [asyncio.ensure_future(emails(library)) for _ in range(50)]
    await until(lambda: library.direct_status().waiting == 45)

    assert len(await sql(KILL)) == 5
    proxy.thaw()

    assert await asyncio.gather(*reads) == [[]] * 50
    assert 1 <= len(counts.retries) <= 5


async def test_a_read_whose_connection_breaks_is_sent_again(
    open_library: Open, proxy: Proxy, counts: Counts
) -> None:
    library = open_library(proxy.url)
    await emails(library)
    proxy.hold_answers()
    read = asyncio.ensure_future(emails(library))
    await asyncio.wait_for(proxy.answer_held.wait(), 30)

    proxy.cut()
    proxy.let_answers_go()

    assert await read == []
    assert len(counts.retries) == 1


async def test_a_read_that_breaks_every_connection_is_unavailable_after_three_runs(
    library: Database, counts: Counts
) -> None:
    with pytest.raises(Unavailable):
        await library.reads.fetch(Query(select(func.pg_terminate_backend(func.pg_backend_pid()))))
    assert len(counts.statements) == 3
    assert len(counts.retries) == 2


@pytest.mark.parametrize("change", ["TYPE varchar(400)", "TYPE text"])
@pytest.mark.parametrize("at_once", [1, 20])
async def test_a_changed_column_type_costs_the_client_nothing(
    open_library: Open, own_library_url: str, change: str, at_once: int
) -> None:
    library = open_library(own_library_url, direct_pool_size=6)  # more than there are runs
    async with Outside(own_library_url) as sql:
        await sql("INSERT INTO authors (id, email) VALUES (gen_random_uuid(), 'ada')")
        for _ in range(2):
            await read_everywhere(library)
        await sql(f"ALTER TABLE authors ALTER COLUMN email {change}")

        found = await asyncio.gather(*(emails(library) for _ in range(at_once)))
        assert found == [["ada"]] * at_once
        await read_everywhere(library)


async def test_an_exhausted_pool_is_busy_within_the_acquire_timeout(
    open_library: Open, library_url: str
) -> None:
    library = open_library(library_url, direct_pool_size=1, acquire_timeout=0.2)
    assert library.direct is not None
    held = await library.direct.acquire()
    waiting = asyncio.ensure_future(emails(library))
    await until(lambda: library.direct_status().waiting == 1)
    status = library.direct_status()
    assert (status.size, status.in_use) == (1, 1)

    with pytest.raises(Busy, match="in use"):
        await waiting
    assert library.direct_status().waiting == 0
    library.direct.give_back(held)
    assert await emails(library) == []


async def test_who_waits_longest_is_served_first(open_library: Open, library_url: str) -> None:
    library = open_library(library_url, direct_pool_size=1)
    assert library.direct is not None
    held = await library.direct.acquire()
    served: list[int] = []

    async def read(number: int) -> None:
        await emails(library)
        served.append(number)

    tasks = [asyncio.ensure_future(read(number)) for number in range(5)]
    await until(lambda: library.direct_status().waiting == 5)
    tasks[1].cancel()
    library.direct.give_back(held)
    await asyncio.wait(tasks)
    assert served == [0, 2, 3, 4]


async def test_a_connection_handed_to_a_task_that_is_cancelled_goes_to_the_next(
    open_library: Open, library_url: str
) -> None:
    library = open_library(library_url, direct_pool_size=1)
    assert library.direct is not None
    held = await library.direct.acquire()
    first, second = (asyncio.ensure_future(emails(library)) for _ in range(2))
    await until(lambda: library.direct_status().waiting == 2)

    library.direct.give_back(held)
    first.cancel()  # it has been given the connection and has not run since

    assert await second == []
    assert first.cancelled()


async def test_when_connecting_fails_the_next_in_line_tries(
    open_library: Open, proxy: Proxy
) -> None:
    library = open_library(proxy.url, direct_pool_size=1, connect_timeout=0.2)
    proxy.freeze()

    failed = await asyncio.gather(*(emails(library) for _ in range(3)), return_exceptions=True)

    assert [type(failure) for failure in failed] == [Unavailable] * 3
    assert library.direct_status().in_use == 0
    proxy.thaw()
    assert await emails(library) == []


async def test_a_server_that_is_away_is_unavailable(open_library: Open, library_url: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    url = make_url(library_url).set(host="127.0.0.1", port=port, query={})
    library = open_library(url.render_as_string(hide_password=False))

    with pytest.raises(Unavailable, match="cannot be reached"):
        await emails(library)
    assert library.direct_status().in_use == 0


async def test_a_cancelled_read_ends_on_the_server_and_leaks_nothing(
    library: Database, sql: Sql
) -> None:
    read = asyncio.ensure_future(library.reads.fetch(SLEEP, {"seconds": 60}))

    async def runs() -> bool:
        return [row.state for row in await sql(BACKENDS)] == ["active"]

    await until(runs)
    read.cancel()
    await asyncio.wait([read])

    async def ended() -> bool:
        return await sql(BACKENDS) == []

    await until(ended)
    await until(lambda: library.direct_status().in_use == 0)
    assert await emails(library) == []
    assert [row.state for row in await sql(BACKENDS)] == ["idle"]


async def test_what_a_cancelled_read_has_cost_counts_for_its_request(
    library: Database, sql: Sql
) -> None:
    request = RequestContext("r-1")
    token = current_request.set(request)
    read = asyncio.ensure_future(library.reads.fetch(SLEEP, {"seconds": 60}))
    current_request.reset(token)

    async def runs() -> bool:
        return [row.state for row in await sql(BACKENDS)] == ["active"]

    await until(runs)
    read.cancel()
    await asyncio.wait([read])

    assert request.statements == 1
    assert request.database_seconds > 0


async def test_a_silent_server_leaks_nothing_once_the_read_is_given_up(
    open_library: Open, proxy: Proxy
) -> None:
    library = open_library(proxy.url, direct_pool_size=2)
    await fill(library)
    proxy.freeze()
    reads = [asyncio.ensure_future(emails(library)) for _ in range(2)]
    await until(lambda: library.direct_status().in_use == 2)

    for read in reads:
        read.cancel()
    await until(lambda: library.direct_status().in_use == 0)
    proxy.thaw()

    assert await emails(library) == []


async def test_a_closed_pool_has_no_connections_and_opens_again(
    library: Database, sql: Sql
) -> None:
    await fill(library)
    assert library.direct is not None
    held = await library.direct.acquire()

    await library.close()

    assert library.direct_status().in_use == 1
    library.direct.give_back(held)
    await until(lambda: library.direct_status().in_use == 0)

    async def ended() -> bool:
        return await sql(BACKENDS) == []

    await until(ended)
    assert await emails(library) == []
