"""What has expired is deleted beside the requests, batch after batch."""

import asyncio

import pytest
from tests.kingpost.support import until

from kingpost.database import Purge
from kingpost.problems import Unavailable


class Rows:
    """Has so many expired rows, or fails."""

    def __init__(self, expired: int) -> None:
        self.expired = expired
        self.away = False

    async def purge(self, rows: int) -> int:
        if self.away:
            raise Unavailable
        deleted = min(rows, self.expired)
        self.expired -= deleted
        return deleted


async def test_a_round_deletes_all_that_has_expired() -> None:
    assert await Purge(Rows(2500)).round() == 2500


async def test_a_database_that_is_away_ends_the_round_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = Rows(10)
    rows.away = True
    assert await Purge(rows).round() == 0
    assert caplog.messages == ["expired rows of Rows could not be deleted: Unavailable"]

    rows.away = False
    running = asyncio.create_task(Purge(rows, interval=0).run())
    await until(lambda: rows.expired == 0)
    running.cancel()
