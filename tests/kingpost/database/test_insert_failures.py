"""What an insert in one statement leaves behind when something goes wrong."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.dialects.postgresql import Range
from tests.kingpost.database.test_insert import ADA, AUTHOR, BOOK, Shown, asked_by
from tests.kingpost.library import Author, Book, Loan
from tests.kingpost.proxy import Proxy
from tests.kingpost.support import Counts, Open, Outside, Sql, until

from kingpost.context import RequestContext, current_request
from kingpost.database import Database
from kingpost.middleware import Deadline
from kingpost.problems import (
    Busy,
    Conflict,
    DeadlineExceeded,
    Invalid,
    InvalidReference,
    OutcomeUnknown,
    Problem,
)

FAILING = """CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('runs') <= {times} THEN RAISE EXCEPTION USING ERRCODE = '{state}'; END IF;
    RETURN NEW;
END $$"""


async def insert(library: Database, email: str = ADA) -> Any:
    return await library.unit_of_work().insert(Author(email=email), show=AUTHOR)


async def warm(library: Database) -> None:
    """The statement is prepared, so that the next one is sent in one go."""
    for _ in range(2):
        await insert(library, str(uuid4()))


async def rows(sql: Sql) -> tuple[int, int]:
    """How many authors there are with the address of Ada, and how many audit rows of them."""
    [counted] = await sql(
        "SELECT count(authors), count(audit_entries) FROM authors FULL JOIN audit_entries"
        " ON entity_id = authors.id::text WHERE coalesce(email, changes->>'email') = :email",
        email=ADA,
    )
    return tuple(counted)


@pytest.mark.parametrize(
    ("entity", "problem", "pointers"),
    [
        (lambda: Author(email=ADA.upper()), Conflict, ["/body/email"]),
        (lambda: Author(email="bob", name=""), Invalid, ["/body/name"]),
        (lambda: Author(name="Bob"), Invalid, ["/body/email"]),
        (lambda: Author(email="b" * 101), Invalid, []),
        (lambda: Author(email="bob\x00"), Invalid, []),
        (lambda: Author(email="bob", name="\ud800"), Invalid, []),
        (lambda: Book(title="Notes", author_id=uuid4()), InvalidReference, ["/body/author_id"]),
        (lambda: Book(title="Notes", author_id=uuid4(), year=2**40), Invalid, []),
    ],
    ids=["taken", "check", "null", "too long", "NUL", "surrogate", "unknown", "range"],
)
async def test_what_the_database_refuses_is_a_problem_and_leaves_nothing(
    library: Database,
    sql: Sql,
    counts: Counts,
    entity: Any,
    problem: type[Problem],
    pointers: list[str],
) -> None:
    await insert(library)
    new = entity()
    with asked_by(RequestContext("r-1")) as request, pytest.raises(problem) as refused:
        await library.unit_of_work().insert(new, show=AUTHOR if isinstance(new, Author) else BOOK)

    assert not isinstance(refused.value, OutcomeUnknown)
    assert [error.pointer for error in refused.value.errors] == pointers
    assert (request.committing, request.committed) == (False, False)
    assert (counts.retries, counts.unknown) == ([], 0)
    assert await sql("SELECT count(*) FROM audit_entries") == [(1,)]
    assert library.direct_status().in_use == 0


async def test_a_deferred_constraint_that_fails_at_the_end_is_a_problem(
    library: Database, sql: Sql
) -> None:
    loan = Loan(id=1, book_id=uuid4(), during=Range(1, 2))
    with pytest.raises(InvalidReference) as refused:
        await library.unit_of_work().insert(loan, show=Shown("id"))
    assert [error.pointer for error in refused.value.errors] == ["/body/book_id"]
    assert await sql("SELECT 1 FROM loans") == []


@asynccontextmanager
async def failing(url: str, *, state: str, times: int) -> AsyncIterator[Sql]:
    """The first so many inserts of authors fail."""
    async with Outside(url) as sql:
        await sql("CREATE SEQUENCE runs")
        await sql(FAILING.format(state=state, times=times))
        await sql(
            "CREATE TRIGGER fails AFTER INSERT ON authors FOR EACH ROW EXECUTE FUNCTION fail()"
        )
        yield sql


@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_what_was_rolled_back_for_a_reason_that_passes_is_run_again(
    open_library: Open, own_library_url: str, counts: Counts, state: str
) -> None:
    library = open_library(own_library_url)
    async with failing(own_library_url, state=state, times=2) as sql:
        await insert(library)
        assert await rows(sql) == (1, 1)
    assert (counts.retries, counts.unknown) == ([state] * 2, 0)


async def test_re_runs_are_bounded_and_end_as_busy(
    open_library: Open, own_library_url: str, counts: Counts
) -> None:
    library = open_library(own_library_url)
    async with failing(own_library_url, state="40001", times=100) as sql:
        with pytest.raises(Busy):
            await insert(library)
        assert await sql("SELECT last_value FROM runs") == [(library.options.attempts,)]
        assert await rows(sql) == (0, 0)
    assert counts.retries == ["40001"] * 3


async def test_a_request_that_was_given_up_is_not_run_again(
    open_library: Open, own_library_url: str
) -> None:
    library = open_library(own_library_url)
    async with failing(own_library_url, state="40001", times=1) as sql:
        with asked_by(RequestContext("r-1")) as request:
            task = asyncio.create_task(insert(library))
            await until(lambda: request.statements == 1)
            request.abandoned = True
            with pytest.raises(DeadlineExceeded):
                await task
        assert await rows(sql) == (0, 0)


async def test_a_changed_column_type_costs_the_client_nothing(
    open_library: Open, own_library_url: str, counts: Counts
) -> None:
    library = open_library(own_library_url, direct_pool_size=2)
    for _ in range(3):
        await asyncio.gather(warm(library), warm(library))
    async with Outside(own_library_url) as sql:
        await sql("ALTER TABLE authors ALTER COLUMN email TYPE text")
        await asyncio.gather(*(insert(library, str(uuid4())) for _ in range(4)))
        await insert(library)
        assert await rows(sql) == (1, 1)
    assert counts.unknown == 0


async def test_connections_that_died_in_the_pool_cost_the_client_nothing(
    library: Database, sql: Sql, counts: Counts
) -> None:
    await warm(library)
    assert library.direct is not None
    idle = list(library.direct._idle)
    await sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'kingpost'"
    )
    await until(lambda: all(connection.is_dead() for connection in idle))

    await insert(library)
    assert await rows(sql) == (1, 1)
    assert (counts.retries, counts.unknown) == ([], 0)


@pytest.mark.parametrize(("loses", "made"), [("lose request", 0), ("lose reply", 1)])
async def test_an_insert_without_an_answer_is_unknown_and_never_run_again(
    open_library: Open, proxy: Proxy, counts: Counts, sql: Sql, loses: str, made: int
) -> None:
    library = open_library(proxy.url)
    await warm(library)
    proxy.commit = re.compile(ADA.encode())
    proxy.at_commit = loses  # type: ignore[assignment]  # parametrize gives plain strings

    with asked_by(RequestContext("r-1")) as request, pytest.raises(OutcomeUnknown):
        await insert(library)
    assert (proxy.commits, counts.retries, counts.unknown) == (1, [], 1)
    assert not request.committed

    async def written() -> bool:
        return await rows(sql) == (made, made)

    await until(written)
    proxy.at_commit = "forward"
    await warm(library)


async def test_a_backend_that_is_killed_while_it_inserts_leaves_the_outcome_unknown(
    library: Database, sql: Sql, counts: Counts, library_url: str
) -> None:
    await warm(library)
    async with Outside(library_url) as other:
        await other("BEGIN")
        await other("INSERT INTO authors (id, email) VALUES (gen_random_uuid(), :e)", e=ADA)
        task = asyncio.create_task(insert(library))  # waits for the other one

        async def killed() -> Any:
            return await sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )

        await until(killed)
        with pytest.raises(OutcomeUnknown):
            await task
        await other("ROLLBACK")
    assert await rows(sql) == (0, 0)
    assert counts.unknown == 1


async def test_an_insert_is_finished_although_its_request_is_given_up(
    open_library: Open, proxy: Proxy, sql: Sql
) -> None:
    library = open_library(proxy.url)
    await warm(library)
    proxy.commit = re.compile(ADA.encode())
    proxy.at_commit = "hold reply"
    request = RequestContext("r-1")

    async def serve() -> None:
        current_request.set(request)
        await insert(library)

    task = asyncio.create_task(serve())
    await asyncio.wait_for(proxy.reply_held.wait(), 30)
    assert (request.committing, request.committed) == (True, False)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (request.committing, request.committed) == (True, False)

    proxy.reply_released.set()
    await until(lambda: request.committed)
    assert not request.committing
    assert await rows(sql) == (1, 1)
    await until(lambda: library.direct_status().in_use == 0)


async def test_a_server_that_is_silent_leaves_the_outcome_unknown(
    open_library: Open, proxy: Proxy, counts: Counts
) -> None:
    library = open_library(proxy.url, statement_timeout=0.2)
    await warm(library)
    proxy.commit = re.compile(ADA.encode())
    proxy.at_commit = "hold reply"

    with pytest.raises(OutcomeUnknown):
        await insert(library)
    assert counts.unknown == 1
    await until(lambda: library.direct_status().in_use == 0)


async def test_a_statement_that_takes_too_long_is_rolled_back_and_known_to_be(
    open_library: Open, library_url: str, sql: Sql, counts: Counts
) -> None:
    library = open_library(library_url, statement_timeout=0.2, lock_timeout=10)
    async with Outside(library_url) as other:
        await other("BEGIN")
        await other("INSERT INTO authors (id, email) VALUES (gen_random_uuid(), :e)", e=ADA)
        with pytest.raises(Busy, match="took too long"):
            await insert(library)
        await other("ROLLBACK")
    assert await rows(sql) == (0, 0)
    assert counts.unknown == 0


async def test_nothing_is_sent_for_a_request_that_was_given_up(
    library: Database, sql: Sql, counts: Counts
) -> None:
    with asked_by(RequestContext("r-1")) as request:
        request.abandoned = True
        with pytest.raises(DeadlineExceeded):
            await insert(library)
    assert counts.statements == []
    assert await rows(sql) == (0, 0)


async def test_nothing_is_sent_for_a_request_that_is_given_up_while_it_waits_for_a_connection(
    open_library: Open, library_url: str, sql: Sql, counts: Counts
) -> None:
    library = open_library(library_url, direct_pool_size=1, acquire_timeout=30)
    assert library.direct is not None
    connection = await library.direct.acquire()
    with asked_by(RequestContext("r-1")) as request:
        task = asyncio.create_task(insert(library))
        await until(lambda: library.direct_status().waiting == 1)
        request.abandoned = True
        assert not request.committing
        library.direct.give_back(connection)
        with pytest.raises(DeadlineExceeded):
            await task

    assert (request.committing, counts.statements) == (False, [])
    assert await rows(sql) == (0, 0)
    assert library.direct_status().in_use == 0


async def test_no_free_connection_is_busy_and_not_unknown(
    open_library: Open, library_url: str, counts: Counts
) -> None:
    library = open_library(library_url, direct_pool_size=1, acquire_timeout=0.1)
    assert library.direct is not None
    connection = await library.direct.acquire()
    with pytest.raises(Busy, match="in use") as refused:
        await insert(library)
    assert not isinstance(refused.value, OutcomeUnknown)
    assert counts.unknown == 0
    library.direct.give_back(connection)


async def test_the_deadline_does_not_deny_an_insert_that_is_under_way(
    library: Database, library_url: str, sql: Sql
) -> None:
    sent: list[Any] = []

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        await insert(library)

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    async with Outside(library_url) as other:
        await other("BEGIN")
        await other("INSERT INTO authors (id, email) VALUES (gen_random_uuid(), :e)", e=ADA)
        with asked_by(RequestContext("r-1")) as request:
            scope = {"type": "http", "method": "POST"}
            served = asyncio.create_task(Deadline(app, 0.2)(scope, receive, send))
            await until(lambda: len(sent) == 2)
        assert json.loads(sent[1]["body"])["type"] == "/problems/outcome-unknown"
        await other("ROLLBACK")
        await served
    await until(lambda: request.committed)
    assert await rows(sql) == (1, 1)
