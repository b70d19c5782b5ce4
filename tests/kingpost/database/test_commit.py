import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import text
from tests.kingpost.library import Author
from tests.kingpost.proxy import Proxy
from tests.kingpost.support import Counts, Open, Sql, until

from kingpost.context import RequestContext, current_request
from kingpost.database import Database, Transaction
from kingpost.database.engine import is_dead
from kingpost.middleware import Deadline
from kingpost.problems import DeadlineExceeded, OutcomeUnknown, Unavailable


class Create:
    """Adds an author, and counts how often it is asked to."""

    def __init__(self) -> None:
        self.runs = 0
        self.hooks = 0

    async def __call__(self, tx: Transaction) -> str:
        self.runs += 1
        tx.after_commit(self._hook)
        tx.session.add(Author(email="ada@example.org"))
        return "made"

    def _hook(self) -> None:
        self.hooks += 1


async def kill(tx: Transaction, sql: Sql) -> None:
    """Ends the backend of a transaction, and returns when the client could know."""
    connection = await tx.session.connection()
    pid = await tx.session.scalar(text("SELECT pg_backend_pid()"))
    await sql("SELECT pg_terminate_backend(:pid)", pid=pid)
    assert connection.sync_connection is not None
    await until(lambda: is_dead(connection.sync_connection))


@pytest.mark.parametrize("when", ["before the audit", "before the COMMIT"])
async def test_a_killed_backend_never_gives_success(
    open_library: Open, library_url: str, sql: Sql, when: str
) -> None:
    library = open_library(library_url, attempts=1)

    async def create(tx: Transaction) -> None:
        if when == "before the audit":
            tx.session.add(Author(email="ada@example.org"))
            await tx.session.flush()
        else:  # nothing that is audited: the next thing to be sent is COMMIT
            await tx.session.execute(text("CREATE TABLE left_over ()"))
        await kill(tx, sql)

    with pytest.raises(Unavailable) as refused:
        await library.unit_of_work().run(create)
    assert not isinstance(refused.value, OutcomeUnknown)
    assert await sql("SELECT 1 FROM authors") == []
    assert await sql("SELECT 1 FROM pg_class WHERE relname = 'left_over'") == []


@pytest.mark.parametrize("when", ["before the audit", "before the COMMIT"])
async def test_a_connection_that_died_before_commit_costs_only_another_run(
    library: Database, counts: Counts, sql: Sql, when: str
) -> None:
    create = Create()

    async def create_and_die_once(tx: Transaction) -> None:
        await create(tx)
        if when == "before the audit":
            await tx.session.flush()
        else:
            tx.session.expunge_all()
        if create.runs == 1:
            await kill(tx, sql)

    await library.unit_of_work().run(create_and_die_once)
    assert (create.runs, create.hooks, len(counts.retries), counts.unknown) == (2, 1, 1, 0)
    made = 1 if when == "before the audit" else 0
    assert await sql("SELECT count(*) FROM authors") == [(made,)]
    assert await sql("SELECT count(*) FROM audit_entries") == [(made,)]


@pytest.mark.parametrize(("loses", "rows"), [("lose request", 0), ("lose reply", 1)])
async def test_a_commit_without_an_answer_is_unknown_and_never_run_again(
    open_library: Open, proxy: Proxy, counts: Counts, sql: Sql, loses: str, rows: int
) -> None:
    library = open_library(proxy.url)
    await library.ping()
    proxy.at_commit = loses  # type: ignore[assignment]  # parametrize gives plain strings
    create = Create()

    with pytest.raises(OutcomeUnknown):
        await library.unit_of_work().run(create)
    assert (create.runs, create.hooks, counts.retries, counts.unknown) == (1, 0, [], 1)

    async def written() -> bool:
        return await sql("SELECT count(*) FROM authors") == [(rows,)]

    await until(written)
    proxy.at_commit = "forward"
    await library.ping()


async def test_a_commit_is_finished_although_its_request_is_given_up(
    open_library: Open, proxy: Proxy, sql: Sql
) -> None:
    library = open_library(proxy.url)
    await library.ping()
    proxy.at_commit = "hold reply"
    request = RequestContext("r-1")
    create = Create()

    async def serve() -> None:
        current_request.set(request)
        await library.unit_of_work().run(create)

    task = asyncio.create_task(serve())
    await asyncio.wait_for(proxy.reply_held.wait(), 30)
    assert request.committing

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert request.committing

    proxy.reply_released.set()
    await until(lambda: not request.committing)
    await until(lambda: create.hooks == 1)
    assert await sql("SELECT count(*) FROM authors") == [(1,)]
    await until(lambda: library.pool_status().in_use == 0)


async def test_a_deadline_in_the_last_moment_before_commit_is_not_denied_by_it(
    library: Database, sql: Sql
) -> None:
    request = RequestContext("r-1")
    token = current_request.set(request)

    def give_up() -> None:
        assert not request.committing  # so its client is told that nothing was changed
        request.abandoned = True

    async def too_slow(tx: Transaction) -> None:
        await tx.session.execute(text("CREATE TABLE left_over ()"))
        asyncio.get_running_loop().call_soon(give_up)

    try:
        with pytest.raises(DeadlineExceeded):
            await library.unit_of_work().run(too_slow)
    finally:
        current_request.reset(token)
    assert await sql("SELECT 1 FROM pg_class WHERE relname = 'left_over'") == []


async def test_committing_is_over_when_the_server_has_answered(library: Database) -> None:
    request = RequestContext("r-1")
    token = current_request.set(request)

    async def lend_what_is_not_there(tx: Transaction) -> None:
        await tx.session.execute(text("INSERT INTO loans VALUES (1, gen_random_uuid(), '[1,2)')"))

    try:
        with pytest.raises(Exception, match="book_id"):
            await library.unit_of_work().run(lend_what_is_not_there)
        assert (request.committing, request.committed) == (False, False)
        await library.unit_of_work().run(Create())
        assert (request.committing, request.committed) == (False, True)
    finally:
        current_request.reset(token)


async def test_a_server_that_is_silent_at_commit_leaves_the_outcome_unknown(
    open_library: Open, proxy: Proxy, counts: Counts
) -> None:
    library = open_library(proxy.url, statement_timeout=0.2)
    await library.ping()
    proxy.at_commit = "hold reply"

    with pytest.raises(OutcomeUnknown):
        await library.unit_of_work().run(Create())
    assert counts.unknown == 1
    await until(lambda: library.pool_status().in_use == 0)


async def test_the_deadline_does_not_deny_a_change_whose_hooks_take_too_long(
    library: Database, sql: Sql
) -> None:
    hook_may_end, request = asyncio.Event(), RequestContext("r-1")
    sent: list[Any] = []

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        async def use(tx: Transaction) -> None:
            tx.session.add(Author(email="ada@example.org"))
            tx.after_commit(wait)

        await library.unit_of_work().run(use)

    async def wait() -> None:
        await hook_may_end.wait()

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    token = current_request.set(request)
    await Deadline(app, 2)({"type": "http", "method": "POST"}, receive, send)
    current_request.reset(token)

    assert json.loads(sent[1]["body"])["type"] == "/problems/outcome-unknown"
    assert await sql("SELECT count(*) FROM authors") == [(1,)]
    hook_may_end.set()
