"""Lookups by key that come together are one statement, and none is told anything too old."""

import asyncio
from collections.abc import Awaitable
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Integer, String, bindparam, cast, func, select
from tests.kingpost.library import Author, Book
from tests.kingpost.proxy import Proxy
from tests.kingpost.support import Counts, Open, Sql, until

from kingpost.context import RequestContext, current_request
from kingpost.database import Database, KeyQuery, SessionMisuse
from kingpost.database.coalescing import IN_FLIGHT, LARGEST
from kingpost.problems import Invalid, Unavailable

NAME = KeyQuery(select(Author.name), Author.id)
BY_EMAIL = KeyQuery(select(Author.name), Author.email)
YEARS = KeyQuery(select(cast(Book.title, String)), Book.year)


async def add(sql: Sql, *names: str) -> list[UUID]:
    keys = [uuid4() for _ in names]
    for key, name in zip(keys, names, strict=True):
        await sql(
            "INSERT INTO authors (id, email, name) VALUES (:id, :email, :name)",
            id=key,
            email=f"{name}@example.org",
            name=name,
        )
    return keys


def soon(*lookups: Awaitable[Any]) -> list[asyncio.Task[Any]]:
    return [asyncio.ensure_future(lookup) for lookup in lookups]


async def in_flight(library: Database, key: UUID) -> list[asyncio.Task[Any]]:
    """As many lookups as may be on their way, each in a batch of its own."""
    tasks = []
    for number in range(IN_FLIGHT):
        tasks += soon(library.reads.find(NAME, key))
        await until(lambda number=number: library.direct_status().in_use == number + 1)
    return tasks


async def warm(library: Database, key: UUID) -> None:
    """Opens the connections and prepares the statement on each."""
    assert library.direct is not None
    statement = NAME.query.compiled(library.direct.driver)
    held = [await library.direct.acquire() for _ in range(library.options.direct_pool_size)]
    for connection in held:
        await library.direct.send(connection, statement, [[key]])


async def test_lookups_of_one_tick_are_one_statement(
    library: Database, counts: Counts, sql: Sql
) -> None:
    ada, bob = await add(sql, "Ada", "Bob")
    missing = uuid4()
    keys = [ada, bob, missing, ada] * 8

    found = await asyncio.gather(*(library.reads.find(NAME, key) for key in keys))

    assert found == ["Ada", "Bob", None, "Ada"] * 8
    assert len(counts.statements) == 1


async def test_lookups_by_different_queries_do_not_mix(
    library: Database, counts: Counts, sql: Sql
) -> None:
    (ada,) = await add(sql, "Ada")

    found = await asyncio.gather(
        library.reads.find(NAME, ada), library.reads.find(BY_EMAIL, "Ada@example.org")
    )

    assert found == ["Ada", "Ada"]
    assert len(counts.statements) == 2


async def test_while_enough_are_on_their_way_the_others_are_collected(
    open_library: Open, proxy: Proxy, counts: Counts, sql: Sql
) -> None:
    library = open_library(proxy.url, direct_pool_size=4)
    (ada,) = await add(sql, "Ada")
    await warm(library, ada)
    counts.statements.clear()
    proxy.hold_answers()

    first = await in_flight(library, ada)
    later = []
    for _ in range(10):
        later += soon(library.reads.find(NAME, ada))
        await asyncio.sleep(0)
    assert library.direct_status().in_use == IN_FLIGHT
    proxy.let_answers_go()

    assert set(await asyncio.gather(*first, *later)) == {"Ada"}
    assert len(counts.statements) == IN_FLIGHT + 1


async def test_a_lookup_never_joins_a_statement_that_was_sent(
    open_library: Open, proxy: Proxy, sql: Sql
) -> None:
    library = open_library(proxy.url)
    (ada,) = await add(sql, "Ada")
    await warm(library, ada)
    proxy.hold_answers()

    (before,) = soon(library.reads.find(NAME, ada))
    await asyncio.wait_for(proxy.answer_held.wait(), 30)  # the server has looked
    await sql("UPDATE authors SET name = 'Countess'")
    (after,) = soon(library.reads.find(NAME, ada))
    await until(lambda: library.direct_status().in_use == 2)
    proxy.let_answers_go()

    assert await before == "Ada"
    assert await after == "Countess"


async def test_a_lookup_that_was_collected_sees_what_was_committed_before_it(
    open_library: Open, proxy: Proxy, sql: Sql
) -> None:
    library = open_library(proxy.url)
    (ada,) = await add(sql, "Ada")
    await warm(library, ada)
    proxy.hold_answers()

    first = await in_flight(library, ada)
    await asyncio.wait_for(proxy.answer_held.wait(), 30)
    await sql("UPDATE authors SET name = 'Countess'")
    later = soon(library.reads.find(NAME, ada))
    proxy.let_answers_go()

    await asyncio.gather(*first)
    assert await later[0] == "Countess"


async def test_who_gives_up_takes_nobody_along(
    open_library: Open, proxy: Proxy, counts: Counts, sql: Sql
) -> None:
    library = open_library(proxy.url)
    ada, bob = await add(sql, "Ada", "Bob")
    await warm(library, ada)
    counts.statements.clear()
    proxy.hold_answers()

    tasks = soon(*(library.reads.find(NAME, key) for key in (ada, ada, bob)))
    await asyncio.wait_for(proxy.answer_held.wait(), 30)
    tasks[0].cancel()
    await asyncio.wait(tasks[:1])
    proxy.let_answers_go()

    assert await asyncio.gather(*tasks[1:]) == ["Ada", "Bob"]
    assert tasks[0].cancelled()
    assert len(counts.statements) == 1


async def test_what_nobody_waits_for_is_not_sent(
    library: Database, counts: Counts, sql: Sql
) -> None:
    (ada,) = await add(sql, "Ada")
    (task,) = soon(library.reads.find(NAME, ada))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert counts.statements == []
    assert await library.reads.find(NAME, ada) == "Ada"


async def test_when_all_have_given_up_the_way_is_free_for_others(
    open_library: Open, proxy: Proxy, sql: Sql
) -> None:
    library = open_library(proxy.url, direct_pool_size=IN_FLIGHT + 1)
    (ada,) = await add(sql, "Ada")
    await warm(library, ada)
    proxy.hold_answers()

    given_up = await in_flight(library, ada)
    collected = soon(library.reads.find(NAME, ada))
    await asyncio.sleep(0)
    for task in given_up:
        task.cancel()
    await asyncio.wait(given_up)
    await until(lambda: library.direct_status().in_use == IN_FLIGHT + 1)
    proxy.let_answers_go()

    assert await collected[0] == "Ada"
    await until(lambda: library.direct_status().in_use == 0)


async def test_a_failure_is_told_to_all_of_the_batch_and_to_nobody_else(
    library: Database, counts: Counts, sql: Sql
) -> None:
    kill = KeyQuery(
        select(func.pg_terminate_backend(func.pg_backend_pid())),
        func.length(Author.name, type_=Integer),
    )
    await add(sql, "Ada")

    failed = await asyncio.gather(
        *(library.reads.find(kill, 3) for _ in range(5)), return_exceptions=True
    )

    assert [type(failure) for failure in failed] == [Unavailable] * 5
    assert len(counts.statements) == 3  # sent again twice, together
    assert await library.reads.find(BY_EMAIL, "Ada@example.org") == "Ada"


async def test_a_key_that_cannot_be_sent_fails_alone(library: Database, sql: Sql) -> None:
    await add(sql, "Ada", "Bob")
    emails = [f"{name}@example.org" for name in ("Ada", "a\0b", "Bob", "\ud800", "Eve")]

    found = await asyncio.gather(
        *(library.reads.find(BY_EMAIL, email) for email in emails), return_exceptions=True
    )

    assert [found[0], found[2], found[4]] == ["Ada", "Bob", None]
    assert [type(found[1]), type(found[3])] == [Invalid, Invalid]


async def test_a_number_out_of_range_fails_alone(library: Database, sql: Sql) -> None:
    (ada,) = await add(sql, "Ada")
    await sql(  # one plan serves all keys, so they are converted only where a row is compared
        "INSERT INTO books (id, title, author_id, year) VALUES (:id, 'Notes', :author, 2)",
        id=uuid4(),
        author=ada,
    )

    found = await asyncio.gather(
        *(library.reads.find(YEARS, year) for year in (1, 2**70, 2)), return_exceptions=True
    )

    assert [found[0], type(found[1]), found[2]] == [None, Invalid, "Notes"]


async def test_many_keys_are_sent_in_parts(library: Database, counts: Counts) -> None:
    keys = [uuid4() for _ in range(2 * LARGEST + 1)]

    found = await asyncio.gather(*(library.reads.find(NAME, key) for key in keys))

    assert set(found) == {None}
    assert len(counts.statements) == 3


async def test_each_request_counts_its_lookup_and_no_other(library: Database, sql: Sql) -> None:
    (ada,) = await add(sql, "Ada")
    requests = [RequestContext(f"r-{number}") for number in range(3)]

    async def serve(request: RequestContext) -> None:
        current_request.set(request)
        await library.reads.find(NAME, ada)

    await asyncio.gather(*(serve(request) for request in requests))

    assert [request.statements for request in requests] == [1, 1, 1]
    assert all(request.database_seconds > 0 for request in requests)


@pytest.mark.parametrize("key", ["ada", 1, None])
async def test_a_key_of_another_type_is_refused(library: Database, key: object) -> None:
    with pytest.raises(TypeError, match="has to be UUID"):
        await library.reads.find(NAME, key)


async def test_a_row_of_several_columns_comes_whole_with_its_key(
    library: Database, sql: Sql
) -> None:
    ada, bob = await add(sql, "Ada", "Bob")
    query = KeyQuery(select(Author.name, Author.version), Author.id)
    rows = await asyncio.gather(*(library.reads.find_row(query, key) for key in (ada, bob)))

    assert [tuple(row or ()) for row in rows] == [("Ada", 1, ada), ("Bob", 1, bob)]
    assert await library.reads.find(query, ada) == "Ada"
    assert await library.reads.find_row(query, uuid4()) is None


async def test_a_key_query_may_have_conditions_of_its_own(library: Database, sql: Sql) -> None:
    ada, bob = await add(sql, "Ada", "Bob")
    query = KeyQuery(select(Author.name).where(Author.name != "Bob"), Author.id)

    assert await library.reads.find(query, ada) == "Ada"
    assert await library.reads.find(query, bob) is None


async def test_a_bug_in_a_key_query_is_raised_by_each_lookup(library: Database) -> None:
    query = KeyQuery(select(Author.name).where(Author.email == bindparam("missing")), Author.id)

    failed = await asyncio.gather(
        *(library.reads.find(query, uuid4()) for _ in range(2)), return_exceptions=True
    )

    assert [type(failure) for failure in failed] == [SessionMisuse] * 2
