"""The disk of the database is full, and is not any more."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError
from tests.faults.rig.disk import fill, small_disk
from tests.faults.rig.journal import Operation, Run
from tests.faults.rig.scene import Scene, heal, loaded
from tests.faults.rig.server import PostgresServer, postgres_server, short_folder
from tests.faults.rig.verifier import CHANGES
from tests.kingpost.support import until

MEGABYTES = 200
NEXT_LOG = "SELECT pg_switch_wal()"


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    with short_folder() as mount, small_disk(mount, MEGABYTES) as disk:
        yield disk


@pytest.fixture(scope="module")
def own_postgres(disk: Path) -> Iterator[PostgresServer]:
    with short_folder() as elsewhere, postgres_server(disk, elsewhere / "log") as server:
        yield server


def refused(run: Run) -> list[Operation]:
    return [one for one in run.operations if "out of space" in one.why]


async def test_a_full_disk_refuses_what_needs_room_and_serves_reads(
    stage: Scene, disk: Path
) -> None:
    async with loaded(stage) as run:
        await asyncio.to_thread(stage.sql, NEXT_LOG)  # with room for the changes to come
        written = len(run.operations)
        await until(lambda: len(run.operations) > written + 40)
        began = time.monotonic()
        ballast = await asyncio.to_thread(fill, disk)
        try:
            await until(lambda: len(refused(run)) > 20)
        finally:
            ballast.unlink()
        heal(run)
    assert {(one.status, one.slug) for one in refused(run)} == {(503, "unavailable")}
    assert {one.kind for one in refused(run)} <= set(CHANGES)
    reads = [one for one in run.operations if one.kind in {"read", "list"}]
    assert {one.status for one in reads if began < one.invoked < run.healed} == {200}


def is_down(stage: Scene) -> bool:
    """Whether the server died of a segment of its log that found no room."""
    try:
        stage.sql(NEXT_LOG)
    except (DBAPIError, OSError):
        return True
    return False


async def test_a_log_of_the_database_without_room_stops_it_and_loses_nothing(
    stage: Scene, disk: Path
) -> None:
    async with loaded(stage) as run:
        began = time.monotonic()
        ballast = await asyncio.to_thread(fill, disk)
        try:
            await until(lambda: asyncio.to_thread(is_down, stage))
            await stage.lasts(2, long=10)
        finally:
            ballast.unlink()
        await asyncio.to_thread(stage.postgres.start_if_down)
        heal(run)
        run.doubtful.append((began, run.healed))
    assert any(one.status == 503 for one in run.operations)
    assert "PANIC" in stage.postgres.log.read_text(errors="replace")
