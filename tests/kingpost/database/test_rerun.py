import asyncio

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from tests.kingpost.library import Author
from tests.kingpost.support import Counts, Open, Sql

from kingpost.database import Database, DatabaseObserver, Transaction
from kingpost.database.retry import rerun
from kingpost.problems import Busy

FAIL = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{}'; END $$"


async def make_authors(library: Database, *emails: str) -> None:
    async def create(tx: Transaction) -> None:
        tx.session.add_all([Author(email=email) for email in emails])

    await library.unit_of_work().run(create)


async def test_a_serialization_failure_is_run_again_and_hooks_run_once(
    library: Database, counts: Counts, sql: Sql
) -> None:
    runs: list[int] = []
    hooks: list[str] = []

    async def create_if_there_is_none(tx: Transaction) -> bool:
        tx.after_commit(lambda: hooks.append("ran"))
        there = len((await tx.session.scalars(select(Author.id))).all())
        runs.append(there)
        if len(runs) == 1:
            await sql("BEGIN ISOLATION LEVEL SERIALIZABLE")
            await sql("SELECT count(*) FROM authors")
            await sql("INSERT INTO authors (id, email) VALUES (gen_random_uuid(), 'bob')")
            await sql("COMMIT")
        if there:
            return False
        tx.session.add(Author(email="ada"))
        return True

    made = await library.unit_of_work().run(create_if_there_is_none, isolation="SERIALIZABLE")
    assert made is False
    assert runs == [0, 1]
    assert hooks == ["ran"]
    assert counts.retries == ["40001"]
    assert await sql("SELECT email FROM authors") == [("bob",)]


async def test_of_two_in_a_deadlock_both_succeed_in_the_end(
    library: Database, counts: Counts
) -> None:
    await make_authors(library, "ada", "bob")
    met = asyncio.Barrier(2)
    hooks: list[str] = []

    async def rename(first: str, second: str) -> None:
        runs = 0

        async def both(tx: Transaction) -> None:
            nonlocal runs
            runs += 1
            tx.after_commit(lambda: hooks.append(first))
            await _lock(tx.session, first)
            if runs == 1:
                await met.wait()
            await _lock(tx.session, second)
            await tx.session.execute(
                text("UPDATE loans SET id = id WHERE false")  # something to commit
            )

        await library.unit_of_work().run(both)

    await asyncio.gather(rename("ada", "bob"), rename("bob", "ada"))
    assert counts.retries == ["40P01"]
    assert sorted(hooks) == ["ada", "bob"]


async def _lock(session: AsyncSession, email: str) -> None:
    await session.execute(select(Author.id).where(Author.email == email).with_for_update())


@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_re_runs_are_bounded_and_end_as_busy(
    library: Database, counts: Counts, sql: Sql, state: str
) -> None:
    runs: list[str] = []

    async def never(tx: Transaction) -> None:
        runs.append("run")
        tx.session.add(Author(email="ada"))
        await tx.session.flush()
        await tx.session.execute(text(FAIL.format(state)))

    with pytest.raises(Busy) as refused:
        await library.unit_of_work().run(never)
    assert len(runs) == library.options.attempts == 4
    assert counts.retries == [state] * 3
    assert refused.value.headers == {"Retry-After": "1"}
    assert refused.value.__cause__ is not None
    assert await sql("SELECT 1 FROM authors") == []


async def test_a_serialization_failure_that_the_use_case_swallowed_is_run_again(
    library: Database, counts: Counts
) -> None:
    runs: list[str] = []

    async def swallow(tx: Transaction) -> None:
        runs.append("run")
        if len(runs) == 1:
            with pytest.raises(Exception, match="40001"):
                await tx.session.execute(
                    text(FAIL.format("40001").replace("'; END", "', MESSAGE = '40001'; END"))
                )

    await library.unit_of_work().run(swallow)
    assert (len(runs), counts.retries) == (2, ["40001"])


async def test_other_failures_are_not_run_again(
    open_library: Open, library_url: str, counts: Counts
) -> None:
    library = open_library(library_url)
    runs: list[str] = []

    async def fail(tx: Transaction) -> None:
        runs.append("run")
        await tx.session.execute(text(FAIL.format("55P03")))

    with pytest.raises(Busy):
        await library.unit_of_work().run(fail)
    assert (len(runs), counts.retries) == (1, [])


async def test_between_two_runs_there_is_a_short_random_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)

    async def fail() -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - it has no text
        await rerun(fail, attempts=50, reason=lambda _: "40001", observer=DatabaseObserver())
    assert len(pauses) == 49
    assert all(0.01 <= pause <= 0.1 for pause in pauses)
    assert len(set(pauses)) > 40
