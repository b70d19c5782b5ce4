"""An observer that raises: the failure is its own, and costs the pool nothing."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import literal_column, select
from tests.kingpost.library import Author, Base
from tests.kingpost.support import Counts, Open

from kingpost.database import Database, DatabaseOptions, Query
from kingpost.database.observer import Reporter

EMAILS = Query(select(Author.email))
BROKEN = Query(select(1 / literal_column("0")))


class Broken(Exception):
    """What an observer raises here."""


class Raising(Counts):
    """Raises once for a statement with such a state."""

    def __init__(self, state: str | None) -> None:
        super().__init__()
        self.state = [state]

    def statement(self, sqlstate: str | None, seconds: float, sql: str) -> None:
        super().statement(sqlstate, seconds, sql)
        if sqlstate in self.state:
            self.state.clear()
            raise Broken


@pytest_asyncio.fixture(params=[(EMAILS, None), (BROKEN, "22012")], ids=["answer", "failure"])
async def observed(library_url: str, request: Any) -> AsyncIterator[tuple[Database, Query]]:
    """A pool of one connection, and the query whose end makes the observer raise."""
    query, state = request.param
    options = DatabaseOptions(library_url, direct_pool_size=1, acquire_timeout=0.5)
    database = Database(options, metadata=Base.metadata, observer=Raising(state))
    yield database, query
    await database.close()


async def test_an_observer_that_raises_after_a_statement_leaks_no_connection(
    observed: tuple[Database, Query],
) -> None:
    database, query = observed
    with pytest.raises(Broken):
        await database.reads.fetch(query)

    assert database.direct_status().in_use == 0
    assert await database.reads.fetch(EMAILS) == []


async def test_a_watcher_that_raises_before_a_statement_leaks_no_connection(
    open_library: Open, library_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = open_library(library_url, direct_pool_size=1, acquire_timeout=0.5)

    def watch(_: str) -> None:
        monkeypatch.undo()
        raise Broken

    monkeypatch.setattr(Reporter, "watchers", [watch])
    with pytest.raises(Broken):
        await library.reads.fetch(EMAILS)

    assert await library.reads.fetch(EMAILS) == []
