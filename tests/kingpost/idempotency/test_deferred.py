"""A request whose COMMIT waits for its answer, below any HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select
from tests.kingpost.library import Author

from kingpost.database import Database, Query, SessionMisuse
from kingpost.database.deferred import Deferred

Sql = Callable[..., Awaitable[list[Any]]]


async def nothing(_: Any) -> None: ...


async def add(tx: Any, email: str = "ada@example.com") -> None:
    tx.session.add(Author(email=email))


@pytest.fixture
def deferred(library: Database) -> Deferred:
    return Deferred(library, nothing)


async def authors(sql: Sql) -> int:
    return int((await sql("SELECT count(*) FROM authors"))[0][0])


async def test_nothing_is_committed_before_it_is_completed(library, deferred, sql):
    hooks = []

    async def use(tx):
        await add(tx)
        tx.after_commit(lambda: hooks.append(1))

    with deferred.in_force():
        await library.unit_of_work().run(use)
    assert (await authors(sql), hooks) == (0, [])

    await deferred.complete()
    assert (await authors(sql), hooks) == (1, [1])
    assert (await sql("SELECT count(*) FROM audit_entries"))[0][0] == 1


async def test_given_up_leaves_nothing(library, deferred, sql):
    with deferred.in_force():
        await library.unit_of_work().run(add)
    await deferred.give_up()

    assert await authors(sql) == 0
    assert library.pool_status().in_use == 0


async def test_a_second_use_case_is_refused(library, deferred):
    with deferred.in_force():
        await library.unit_of_work().run(add)
        with pytest.raises(SessionMisuse, match="one transaction"):
            await library.unit_of_work().run(add)
    await deferred.give_up()


async def test_a_read_beside_the_open_transaction_is_refused(library, deferred):
    with deferred.in_force():
        await library.unit_of_work().run(add)
        with pytest.raises(SessionMisuse, match="would not see"):
            await library.reads.fetch(Query(select(Author.id)))
    await deferred.give_up()


async def test_a_use_case_that_failed_may_be_followed_by_another(library, deferred, sql):
    async def fail(_: Any) -> None:
        raise LookupError

    with deferred.in_force():
        with pytest.raises(LookupError):
            await library.unit_of_work().run(fail)
        await library.unit_of_work().run(add)
    await deferred.complete()

    assert await authors(sql) == 1


async def test_a_hook_has_a_transaction_of_its_own(library, deferred, sql):
    async def use(tx):
        await add(tx)
        tx.after_commit(lambda: library.unit_of_work().run(lambda t: add(t, "grace@example.com")))

    with deferred.in_force():
        await library.unit_of_work().run(use)
        await deferred.complete()

    assert await authors(sql) == 2
