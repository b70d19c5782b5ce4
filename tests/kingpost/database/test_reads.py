"""Queries without the ORM: what they give, what they refuse, how they fail."""

import logging
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Enum, Integer, bindparam, func, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from tests.kingpost.library import Author, Book
from tests.kingpost.proxy import Proxy
from tests.kingpost.support import Counts, Open, Outside, Sql

from kingpost.context import RequestContext, current_request
from kingpost.database import (
    Database,
    DirectPool,
    KeyQuery,
    Query,
    SessionMisuse,
    Transaction,
    sqlstate,
)
from kingpost.problems import Busy, Invalid, Problem, Unavailable
from kingpost.testing.statements import StatementBudget

EMAILS = Query(select(Author.email).where(Author.name == bindparam("name")).order_by(Author.email))
NAME_BY_ID = KeyQuery(select(Author.name), Author.id)
SLEEP = Query(select(func.pg_sleep(bindparam("seconds"))))


async def add(sql: Sql, name: str | None = "Ada") -> UUID:
    key = uuid4()
    await sql(
        "INSERT INTO authors (id, email, name) VALUES (:id, :email, :name)",
        id=key,
        email=f"{key}@example.org",
        name=name,
    )
    return key


async def test_rows_are_fetched_by_the_values_of_the_query(library: Database, sql: Sql) -> None:
    key = await add(sql)
    await add(sql, "Bob")

    rows = await library.reads.fetch(EMAILS, {"name": "Ada"})

    assert [row[0] for row in rows] == [f"{key}@example.org"]
    assert await library.unit_of_work().reads.fetch(EMAILS, {"name": "Eve"}) == []


async def test_a_row_is_found_by_its_key(library: Database, sql: Sql) -> None:
    ada, nameless = await add(sql), await add(sql, None)

    assert await library.reads.find(NAME_BY_ID, ada) == "Ada"
    assert await library.reads.find(NAME_BY_ID, nameless) is None
    assert await library.reads.find(NAME_BY_ID, uuid4()) is None


async def test_a_query_and_a_lookup_are_one_round_trip(
    open_library: Open, proxy: Proxy, sql: Sql
) -> None:
    library = open_library(proxy.url)
    key = await add(sql)
    for _ in range(2):
        await library.reads.fetch(EMAILS, {"name": "Ada"})
        await library.reads.find(NAME_BY_ID, key)
    proxy.round_trips.clear()

    await library.reads.fetch(EMAILS, {"name": "Ada"})
    assert len(proxy.round_trips) == 1, proxy.round_trips
    await library.reads.find(NAME_BY_ID, key)
    assert len(proxy.round_trips) == 2, proxy.round_trips


@pytest.mark.parametrize(
    "value",
    [
        7,
        2**40,
        1.5,
        Decimal("12.34"),
        "Grüße",
        b"\x00\xff",
        True,
        datetime(2026, 11, 22, 4, 15, 0, 123456, tzinfo=UTC),
        UUID(int=7),
        None,
    ],
)
async def test_a_value_comes_back_as_it_was_sent(library: Database, value: Any) -> None:
    kind = literal(value).type
    query = Query(select(bindparam("value", type_=kind).label("value")))

    ((returned,),) = await library.reads.fetch(query, {"value": value})

    assert returned == value


async def test_the_types_of_sqlalchemy_prepare_their_values(library: Database) -> None:
    kind = Enum("ada", "bob", native_enum=False)
    query = Query(
        select(
            bindparam("one", type_=kind),
            func.cardinality(bindparam("many", type_=ARRAY(Integer)), type_=Integer),
        )
    )

    ((one, many),) = await library.reads.fetch(query, {"one": "ada", "many": [1, 2, 3]})

    assert (one, many) == ("ada", 3)


async def test_values_that_are_part_of_the_query_need_not_be_given(
    library: Database, sql: Sql
) -> None:
    for _ in range(3):
        await add(sql)
    query = Query(select(Author.id).where(Author.name == "Ada", Author.version == 1).limit(2))

    assert len(await library.reads.fetch(query)) == 2


async def test_a_value_that_is_missing_is_named(library: Database) -> None:
    with pytest.raises(SessionMisuse, match="needs a value for name"):
        await library.reads.fetch(EMAILS, {"nam": "Ada"})


async def test_a_list_in_the_text_of_a_query_is_refused(library: Database) -> None:
    query = Query(select(Author.id).where(Author.name.in_(bindparam("names"))))

    with pytest.raises(SessionMisuse, match="names changes the text"):
        await library.reads.fetch(query, {"names": ["Ada"]})


async def test_a_query_that_locks_is_refused(library: Database) -> None:
    with pytest.raises(SessionMisuse, match="may not send UPDATE"):
        await library.reads.fetch(Query(select(Author.id).with_for_update()))


def test_json_has_to_be_cast_to_text() -> None:
    with pytest.raises(SessionMisuse, match="notes is JSON"):
        Query(select(Book.notes))


async def test_a_read_inside_a_transaction_is_refused(library: Database) -> None:
    async def nested(_: Transaction) -> None:
        with pytest.raises(SessionMisuse, match="inside a transaction"):
            await library.reads.fetch(EMAILS, {"name": "Ada"})
        with pytest.raises(SessionMisuse, match="inside a transaction"):
            await library.reads.find(NAME_BY_ID, uuid4())

    await library.unit_of_work().run(nested)


FAILURES: dict[str, tuple[Any, dict[str, Any], type[Problem], str]] = {
    "too slow": (select(func.pg_sleep(30)), {}, Busy, "took too long"),
    "division": (select(literal(1) / bindparam("x", type_=Integer)), {"x": 0}, Invalid, "valid"),
    "huge integer": (
        select(bindparam("x", type_=Integer)),
        {"x": 10**30},
        Invalid,
        "number|value",
    ),
    "NUL": (
        select(Author.id).where(Author.name == bindparam("x")),
        {"x": "a\0"},
        Invalid,
        "stored",
    ),
    "lone surrogate": (
        select(Author.id).where(Author.name == bindparam("x")),
        {"x": "\ud800"},
        Invalid,
        "stored|not valid",
    ),
    "killed": (
        select(func.pg_terminate_backend(func.pg_backend_pid())),
        {},
        Unavailable,
        "connection to the database was lost",
    ),
    "cancelled": (
        select(func.pg_cancel_backend(func.pg_backend_pid()), func.pg_sleep(30)),
        {},
        Busy,
        "took too long",
    ),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_a_failure_is_told_as_its_problem(
    open_library: Open,
    library_url: str,
    failure: tuple[Any, dict[str, Any], type[Problem], str],
) -> None:
    library = open_library(library_url, statement_timeout=0.1, direct_pool_size=1)
    statement, values, problem, detail = failure

    with pytest.raises(problem, match=detail) as told:
        await library.reads.fetch(Query(statement), values)

    assert told.value.__cause__ is not None
    assert await library.reads.fetch(EMAILS, {"name": "Ada"}) == []


async def test_what_a_server_may_be_short_of_is_told_as_its_problem(
    open_library: Open, own_library_url: str
) -> None:
    library = open_library(own_library_url)
    fail = Query(select(func.fail(bindparam("state"))))
    async with Outside(own_library_url) as sql:
        await sql(
            "CREATE FUNCTION fail(state text) RETURNS void LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION USING ERRCODE = state; END $$"
        )
        for state, problem in {
            "40001": Busy,
            "40P01": Busy,
            "55P03": Busy,
            "53300": Busy,
            "53100": Unavailable,
            "53200": Unavailable,
            "58030": Unavailable,
            "25006": Unavailable,
            "57P03": Unavailable,
            "08006": Unavailable,
        }.items():
            with pytest.raises(problem) as told:
                await library.reads.fetch(fail, {"state": state})
            assert sqlstate(told.value.__cause__ or told.value) == state


async def test_a_bug_stays_an_exception_of_the_driver(library: Database) -> None:
    query = Query(select(text("nothing")).select_from(Author))

    with pytest.raises(Exception, match="nothing") as raised:
        await library.reads.fetch(query)

    assert not isinstance(raised.value, Problem)
    assert sqlstate(raised.value) == "42703"
    assert library.direct_status().in_use == 0


async def test_a_statement_is_reported_with_its_text_its_time_and_its_state(
    library: Database, counts: Counts
) -> None:
    request = RequestContext("r-1")
    token = current_request.set(request)
    try:
        await library.reads.fetch(SLEEP, {"seconds": 0.02})
        with pytest.raises(Invalid):
            await library.reads.fetch(SLEEP, {"seconds": "soon"})
    finally:
        current_request.reset(token)

    slept, failed = counts.statements
    assert (slept[0], slept[2].split("(")[0]) == (None, "SELECT pg_sleep")
    assert slept[1] >= 0.02
    assert (failed[0] or "")[:2] == "22"
    assert request.statements == 2
    assert request.database_seconds >= 0.02


async def test_a_slow_statement_is_logged_without_its_values(
    open_library: Open, library_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    library = open_library(library_url, slow_statement=0.05)
    query = Query(select(bindparam("secret", type_=Author.name.type), func.pg_sleep(0.06)))

    with caplog.at_level(logging.DEBUG, "kingpost.database"):
        await library.reads.fetch(query, {"secret": "canary"})
        await library.reads.fetch(EMAILS, {"name": "canary"})

    (slow,) = [r for r in caplog.records if r.name == "kingpost.database.slow"]
    assert "pg_sleep" in slow.getMessage()
    assert "canary" not in caplog.text


async def test_the_budget_of_a_test_sees_queries_and_lookups(
    library: Database, statements: StatementBudget
) -> None:
    with statements(2) as sent:
        await library.reads.fetch(EMAILS, {"name": "Ada"})
        await library.reads.find(NAME_BY_ID, uuid4())

    assert "ORDER BY" in sent[0]
    assert "= ANY ($1" in sent[1]


async def test_behind_pgbouncer_queries_and_lookups_go_through_a_session(
    open_library: Open, pgbouncer_url: str, sql: Sql, counts: Counts
) -> None:
    library = open_library(pgbouncer_url, pooler="pgbouncer")
    key = await add(sql)

    rows = await library.reads.fetch(EMAILS, {"name": "Ada"})
    found = [await library.reads.find(NAME_BY_ID, key) for _ in range(10)]

    assert [row[0] for row in rows] == [f"{key}@example.org"]
    assert found == ["Ada"] * 10
    assert await library.reads.find(NAME_BY_ID, uuid4()) is None
    assert library.direct is None
    assert {state for state, _, _ in counts.statements} == {None}


async def test_a_query_is_compiled_once(library: Database) -> None:
    assert isinstance(library.direct, DirectPool)

    assert EMAILS.compiled(library.direct.driver) is EMAILS.compiled(library.direct.driver)
