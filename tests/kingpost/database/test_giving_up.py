"""A place in a pool is free again soon after its statement was given up, even in a silence."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, text
from tests.kingpost.library import Author
from tests.kingpost.proxy import Proxy
from tests.kingpost.support import Open, until

from kingpost.database import Database, Query, Transaction
from kingpost.database.drivers import asyncpg, psycopg

EMAILS = Query(select(Author.email))
SOON = 4.0
"""Longer than the two seconds of SQLAlchemy for asyncpg, shorter than the five of psycopg."""


@pytest.fixture
def library(open_library: Open, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Database:
    for driver in (asyncpg, psycopg):
        monkeypatch.setattr(driver, "CANCEL_SECONDS", 0.1)
    return open_library(proxy.url, pool_size=2, direct_pool_size=1)


def in_use(library: Database) -> int:
    return library.pool_status().in_use + library.direct_status().in_use


async def ask(library: Database) -> list[asyncio.Task[Any]]:
    """A read, a transaction and a single statement on their way to the server."""

    async def write(tx: Transaction) -> Any:
        return await tx.session.scalar(text("SELECT 1"))

    work = [
        library.read(lambda session: session.scalar(text("SELECT 1"))),
        library.unit_of_work().run(write),
        library.reads.fetch(EMAILS),
    ]
    return [asyncio.create_task(it) for it in work]


async def given_up(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)


@pytest.mark.parametrize("is_back", [False, True], ids=["still silent", "forgotten"])
async def test_what_is_given_up_in_a_silence_takes_up_no_connection(
    library: Database, proxy: Proxy, is_back: bool
) -> None:
    await asyncio.gather(*await ask(library))
    proxy.freeze()
    asked = await ask(library)
    await until(lambda: in_use(library) == 3)
    if is_back:  # and the server that is asked to cancel knows nothing of these connections
        proxy.forget()

    giving_up = asyncio.create_task(given_up(asked))
    await until(lambda: in_use(library) == 0, seconds=SOON)
    await giving_up
    proxy.forget()
    await asyncio.gather(*await ask(library))
