import logging
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from tests.kingpost.support import Counts, Open

from kingpost.context import RequestContext, current_request
from kingpost.database import Database, DatabaseObserver


async def test_each_statement_is_reported_with_its_text_its_time_and_its_state(
    library: Database, counts: Counts
) -> None:
    async def use(session: AsyncSession) -> None:
        await session.execute(text("SELECT pg_sleep(0.02)"))
        await session.execute(text("SELECT 1 / :zero"), {"zero": 0})

    with pytest.raises(Exception, match="not valid"):
        await library.read(use)
    slept, failed = counts.statements[-2:]
    assert slept[0] is None
    assert slept[1] >= 0.02
    assert slept[2] == "SELECT pg_sleep(0.02)"
    assert failed[0] == "22012"
    assert failed[2].startswith("SELECT 1 /")


async def test_the_request_knows_its_statements_and_their_time(library: Database) -> None:
    await library.ping()
    request = RequestContext("r-1")
    token = current_request.set(request)

    async def use(session: AsyncSession) -> None:
        await session.execute(text("SELECT pg_sleep(0.02)"))
        await session.execute(text("SELECT 1"))

    try:
        await library.read(use)
    finally:
        current_request.reset(token)
    assert request.statements == 2
    assert request.database_seconds >= 0.02


async def test_a_slow_statement_is_logged_once_and_without_its_values(
    open_library: Open, library_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    library = open_library(library_url, slow_statement=0.05)

    async def use(session: AsyncSession) -> Any:
        await session.execute(text("SELECT 1"))
        return await session.scalar(
            text("SELECT CAST(:secret AS text) FROM pg_sleep(0.06)"), {"secret": "canary"}
        )

    with caplog.at_level(logging.DEBUG, "kingpost.database"):
        assert await library.read(use) == "canary"
    slow = [r for r in caplog.records if r.name == "kingpost.database.slow"]
    assert len(slow) == 1
    assert slow[0].levelno == logging.WARNING
    assert "pg_sleep" in slow[0].getMessage()
    assert "canary" not in caplog.text


async def test_errors_do_not_show_values(library: Database) -> None:
    async def use(session: AsyncSession) -> None:
        await session.execute(text("SELECT :secret FROM nowhere"), {"secret": "canary"})

    with pytest.raises(DBAPIError) as raised:
        await library.read(use)
    assert "canary" not in str(raised.value)


def test_the_observer_of_the_library_does_nothing() -> None:
    observer = DatabaseObserver()
    observer.statement(None, 0.1, "SELECT 1")
    observer.retry("40001")
    observer.outcome_unknown()
