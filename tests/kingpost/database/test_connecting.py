"""What is said of a database that cannot be connected to."""

import logging
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url
from tests.kingpost.library import Author
from tests.kingpost.support import Open

from kingpost.database import Query
from kingpost.database.drivers import connecting
from kingpost.database.drivers.connecting import LOG_SECONDS, FailureLog
from kingpost.problems import Unavailable

EMAILS = Query(select(Author.email))
REQUESTS = 30


async def test_an_outage_is_one_line_a_second_and_not_one_for_each_request(
    open_library: Open,
    library_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connecting, "_failures", FailureLog())
    nowhere = make_url(library_url).update_query_dict({"host": str(tmp_path)})
    library = open_library(nowhere.render_as_string(hide_password=False))
    begun = monotonic()

    with caplog.at_level(logging.WARNING, "kingpost.database"):
        for _ in range(REQUESTS):
            with pytest.raises(Unavailable):
                await library.reads.fetch(EMAILS)

    told = [line for line in caplog.messages if "cannot connect" in line]
    assert 1 <= len(told) <= 1 + (monotonic() - begun) / LOG_SECONDS


def test_the_next_line_says_how_many_there_were(caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0
    failures = FailureLog(lambda: now)
    with caplog.at_level(logging.WARNING, "kingpost.database"):
        for _ in range(5):
            failures.tell("refused")
        now += LOG_SECONDS
        failures.tell("no answer within 3 s")

    assert caplog.messages == [
        "cannot connect to the database: refused (1 since last told)",
        "cannot connect to the database: no answer within 3 s (5 since last told)",
    ]
