import logging
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession
from tests.kingpost.library import Author, Book
from tests.kingpost.support import Counts, Open, Sql

from kingpost.context import RequestContext, current_request
from kingpost.database import Database, SessionMisuse, Transaction
from kingpost.problems import Conflict, DeadlineExceeded, InvalidReference, Unavailable


async def authors(database: Database) -> list[str]:
    async def emails(session: AsyncSession) -> list[str]:
        return list(await session.scalars(select(Author.email).order_by(Author.email)))

    return await database.read(emails)


async def test_what_a_use_case_adds_is_there_when_run_returns(library: Database) -> None:
    async def create(tx: Transaction) -> str:
        tx.session.add(Author(email="ada@example.org"))
        return "made"

    assert await library.unit_of_work().run(create) == "made"
    assert await authors(library) == ["ada@example.org"]


async def test_any_exception_rolls_everything_back(library: Database) -> None:
    async def create(tx: Transaction) -> None:
        tx.session.add(Author(email="ada@example.org"))
        await tx.session.flush()
        raise KeyError("while the answer was made")

    with pytest.raises(KeyError):
        await library.unit_of_work().run(create)
    assert await authors(library) == []


async def test_a_deferred_constraint_that_fails_at_commit_is_a_problem_and_leaves_no_row(
    library: Database, sql: Sql
) -> None:
    async def lend_what_is_not_there(tx: Transaction) -> None:
        tx.session.add(Author(email="ada@example.org"))
        await tx.session.execute(text("INSERT INTO loans VALUES (1, gen_random_uuid(), '[1,2)')"))

    with pytest.raises(InvalidReference) as refused:
        await library.unit_of_work().run(lend_what_is_not_there)
    assert [error.pointer for error in refused.value.errors] == ["/body/book_id"]
    assert await sql("SELECT 1 FROM authors UNION ALL SELECT 1 FROM loans") == []


async def test_the_session_cannot_be_used_after_its_end(library: Database) -> None:
    kept: list[AsyncSession] = []

    async def keep(tx: Transaction) -> None:
        kept.append(tx.session)
        await tx.session.execute(text("SELECT 1"))

    await library.unit_of_work().run(keep)
    with pytest.raises(InvalidRequestError, match="closed"):
        await kept[0].execute(text("SELECT 1"))

    async def keep_read(session: AsyncSession) -> None:
        kept.append(session)

    await library.read(keep_read)
    with pytest.raises(InvalidRequestError, match="closed"):
        await kept[1].execute(text("SELECT 1"))


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
async def test_a_use_case_that_ends_the_transaction_itself_is_told_who_does(
    library: Database, end: str
) -> None:
    async def meddle(tx: Transaction) -> None:
        tx.session.add(Author(email="ada@example.org"))
        await tx.session.flush()
        await getattr(tx.session, end)()

    with pytest.raises(SessionMisuse, match="UnitOfWork"):
        await library.unit_of_work().run(meddle)
    assert await authors(library) == []


async def test_ending_the_transaction_behind_the_back_of_the_session_is_noticed(
    library: Database,
) -> None:
    async def meddle(tx: Transaction) -> None:
        transaction = tx.session.get_transaction()
        assert transaction is not None
        await transaction.rollback()

    with pytest.raises(SessionMisuse, match="ended the transaction"):
        await library.unit_of_work().run(meddle)


async def test_a_swallowed_failure_is_never_reported_as_success(library: Database) -> None:
    async def swallow(tx: Transaction) -> None:
        tx.session.add(Author(email="ada@example.org"))
        await tx.session.flush()
        with pytest.raises(DBAPIError):
            await tx.session.execute(text("SELECT 1 / 0"))

    with pytest.raises(SessionMisuse, match="begin_nested"):
        await library.unit_of_work().run(swallow)
    assert await authors(library) == []


async def test_a_failure_inside_a_savepoint_can_be_survived(library: Database) -> None:
    async def survive(tx: Transaction) -> None:
        tx.session.add(Author(email="ada@example.org"))
        await tx.session.flush()
        with pytest.raises(DBAPIError):
            async with tx.session.begin_nested():
                await tx.session.execute(text("SELECT 1 / 0"))

    await library.unit_of_work().run(survive)
    assert await authors(library) == ["ada@example.org"]


async def test_hooks_run_after_the_commit_and_only_then(library: Database, sql: Sql) -> None:
    seen: list[Any] = []

    async def look() -> None:
        seen.extend(await sql("SELECT email FROM authors"))

    async def create(tx: Transaction) -> None:
        tx.after_commit(look)
        tx.after_commit(lambda: seen.append("second"))
        tx.session.add(Author(email="ada@example.org"))

    await library.unit_of_work().run(create)
    assert seen == [("ada@example.org",), "second"]

    with pytest.raises(Conflict):
        await library.unit_of_work().run(create)
    assert len(seen) == 2


async def test_a_failing_hook_is_logged_and_changes_nothing(
    library: Database, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[str] = []

    def fail() -> None:
        raise ValueError("the cache is away")

    async def create(tx: Transaction) -> str:
        tx.after_commit(fail)
        tx.after_commit(lambda: ran.append("the next one"))
        tx.session.add(Author(email="ada@example.org"))
        return "made"

    with caplog.at_level(logging.ERROR, "kingpost.database"):
        assert await library.unit_of_work().run(create) == "made"
    assert ran == ["the next one"]
    assert "a hook failed" in caplog.text
    assert "the cache is away" in caplog.text


async def test_a_hook_may_start_another_transaction(library: Database) -> None:
    async def more() -> None:
        async def create(tx: Transaction) -> None:
            tx.session.add(Author(email="bob@example.org"))

        await library.unit_of_work().run(create)

    async def create(tx: Transaction) -> None:
        tx.session.add(Author(email="ada@example.org"))
        tx.after_commit(more)

    await library.unit_of_work().run(create)
    assert await authors(library) == ["ada@example.org", "bob@example.org"]


async def test_a_transaction_inside_a_transaction_is_refused(library: Database) -> None:
    async def outer(_: Transaction) -> None:
        await library.unit_of_work().run(inner)

    async def outer_of_read(_: Transaction) -> None:
        await authors(library)

    async def inner(_: Transaction) -> None: ...

    for nested in (outer, outer_of_read):
        with pytest.raises(SessionMisuse, match="pass its tx on"):
            await library.unit_of_work().run(nested)
    assert await authors(library) == []


async def test_nothing_is_committed_for_a_request_that_was_given_up(library: Database) -> None:
    request = RequestContext("r-1")
    token = current_request.set(request)

    async def too_slow(tx: Transaction) -> None:
        tx.session.add(Author(email="ada@example.org"))
        await tx.session.flush()
        request.abandoned = True

    try:
        with pytest.raises(DeadlineExceeded):
            await library.unit_of_work().run(too_slow)
    finally:
        current_request.reset(token)
    assert await authors(library) == []


async def test_a_use_case_that_touches_no_table_takes_no_connection(
    library: Database, counts: Counts
) -> None:
    async def nothing(_: Transaction) -> int:
        return library.pool_status().in_use

    assert await library.unit_of_work().run(nothing) == 0
    assert counts.statements == []


async def test_a_use_case_may_ask_for_another_isolation(library: Database) -> None:
    async def isolation(tx: Transaction) -> Any:
        return await tx.session.scalar(text("SHOW transaction_isolation"))

    work = library.unit_of_work()
    assert await work.run(isolation, isolation="SERIALIZABLE") == "serializable"
    assert await work.run(isolation) == "read committed"


async def test_a_relationship_is_never_loaded_by_itself(library: Database) -> None:
    async def create(tx: Transaction) -> Author:
        author = Author(email="ada@example.org")
        tx.session.add_all([author, Book(title="Notes", author=author)])
        return author

    author = await library.unit_of_work().run(create)

    async def load(tx: Transaction) -> None:
        found = await tx.session.get(Author, author.id)
        assert found is not None
        with pytest.raises(InvalidRequestError, match="raise"):
            _ = found.books

    await library.unit_of_work().run(load)


async def test_a_synchronous_statement_in_asynchronous_code_is_refused(library: Database) -> None:
    async def blocking(tx: Transaction) -> None:
        tx.session.sync_session.execute(text("SELECT 1"))

    async def blocking_read(session: AsyncSession) -> None:
        session.sync_session.execute(text("SELECT 1"))

    with pytest.raises(SessionMisuse, match="await"):
        await library.unit_of_work().run(blocking)
    with pytest.raises(SessionMisuse, match="await"):
        await library.read(blocking_read)


async def test_a_database_that_is_not_there_is_unavailable(
    open_library: Open, driver: str, tmp_path: Any
) -> None:
    async def create(tx: Transaction) -> None:
        tx.session.add(Author(email="ada@example.org"))

    for place in (f"/library?host={tmp_path}", "127.0.0.1:1/library", "nowhere.invalid/library"):
        database = open_library(f"postgresql+{driver}://postgres@{place}")
        for attempt in (database.unit_of_work().run(create), authors(database), database.ping()):
            with pytest.raises(Unavailable) as refused:
                await attempt
            assert refused.value.headers["Retry-After"]
