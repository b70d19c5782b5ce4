"""The disk that the service logs to is full, and is not any more."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.faults.rig.disk import fill, small_disk
from tests.faults.rig.scene import Scene, heal, loaded
from tests.faults.rig.server import PostgresServer, short_folder
from tests.kingpost.support import until

MEGABYTES = 20
LAST_PAGE = 4096  # of the log; it has room when the disk has none


@pytest.fixture(scope="module")
def disk(own_postgres: PostgresServer) -> Iterator[Path]:
    with short_folder() as mount, small_disk(mount, MEGABYTES) as disk:
        yield disk
        own_postgres.guests.close()  # which log there


@pytest.fixture
def tmp_path(disk: Path) -> Path:
    """Where the stage has the service's log."""
    return disk


@pytest.fixture
def stage_settings() -> Mapping[str, str]:
    return {"APP_LOG_LEVEL": "debug"}


async def test_a_full_disk_for_logs_fails_no_request(stage: Scene, disk: Path) -> None:
    log = stage.service.log
    async with loaded(stage) as run:
        ballast = await asyncio.to_thread(fill, disk)
        began, asked, said = time.monotonic(), len(run.operations), log.stat().st_size
        try:
            await stage.lasts(1, long=10)
            await until(lambda: len(run.operations) > asked + 100)
            assert log.stat().st_size <= said + LAST_PAGE
        finally:
            ballast.unlink()
        heal(run)
        await until(lambda: log.stat().st_size > said + 2 * LAST_PAGE)
    assert {one.status // 100 for one in run.operations if one.invoked > began} <= {2, 4}
