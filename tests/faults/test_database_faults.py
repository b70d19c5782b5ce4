"""Faults of the database under load: nothing that was acknowledged is lost, and all heals."""

import asyncio
import time

import pytest
from sqlalchemy.exc import DBAPIError
from tests.faults.rig.journal import Run
from tests.faults.rig.scene import Scene, heal, loaded
from tests.kingpost.support import holding

OTHERS = "datname = current_database() AND application_name = 'app' AND pid <> pg_backend_pid()"


async def test_a_killed_backend_loses_nothing(stage: Scene) -> None:
    async with loaded(stage) as run:
        began = time.monotonic()
        await asyncio.to_thread(stage.postgres.kill_backend, stage.database)
        heal(run)
        run.doubtful.append((began, run.healed))


async def restart(stage: Scene, run: Run, began: float) -> None:
    """Starts a server that is down since then, and says when the service could not work."""
    starting = time.monotonic()
    await asyncio.to_thread(stage.postgres.start)
    heal(run)
    run.outages.append((began, starting))
    run.doubtful.append((starting, run.healed))


async def test_a_killed_postmaster_loses_nothing(stage: Scene) -> None:
    async with loaded(stage) as run:
        began = time.monotonic()
        await asyncio.to_thread(stage.postgres.kill)
        await stage.lasts(1, long=5)
        await restart(stage, run, began)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_stopped_server_loses_nothing(stage: Scene, mode: str) -> None:
    async with loaded(stage) as run:
        began = time.monotonic()
        await asyncio.to_thread(stage.postgres.stop, mode)
        await restart(stage, run, began)


async def test_a_frozen_server_is_answered_for_in_time(stage: Scene) -> None:
    async with loaded(stage) as run:
        began = time.monotonic()
        with stage.postgres.frozen():
            await stage.lasts(4, long=10)
        heal(run)
        run.outages.append((began, run.healed))


async def test_a_black_hole_before_the_database_is_answered_for_in_time(stage: Scene) -> None:
    async with loaded(stage) as run:
        began = time.monotonic()
        stage.proxy.freeze()
        await stage.lasts(4, long=15)
        stage.proxy.thaw()
        heal(run)
        run.outages.append((began, run.healed))


async def lose_commits(stage: Scene, run: Run, what: str) -> None:
    began = time.monotonic()
    stage.proxy.lose_commits(what, every=10)
    await stage.lasts(2, long=10)
    stage.proxy.lose_commits(None)
    heal(run)
    run.doubtful.append((began, run.healed))
    assert stage.proxy.lost


async def test_lost_replies_of_commits_leave_no_false_promise(stage: Scene) -> None:
    async with loaded(stage) as run:
        await lose_commits(stage, run, "reply")
        assert any(one.slug == "outcome-unknown" for one in run.operations)


async def test_reset_connections_to_the_database_lose_nothing(stage: Scene) -> None:
    async with loaded(stage) as run:
        began = time.monotonic()
        for _ in range(25 if stage.is_long else 5):
            await asyncio.to_thread(stage.proxy.cut)
            await asyncio.sleep(0.2)  # how long the fault lasts
        heal(run)
        run.doubtful.append((began, run.healed))


async def test_lost_requests_of_commits_leave_no_false_promise(stage: Scene) -> None:
    async with loaded(stage) as run:
        await lose_commits(stage, run, "request")


async def test_terminated_and_cancelled_sessions_lose_nothing(stage: Scene) -> None:
    async with loaded(stage) as run:
        began = time.monotonic()
        for number in range(100 if stage.is_long else 20):
            what = "pg_terminate_backend(pid)" if number % 10 == 0 else "pg_cancel_backend(pid)"
            query = f"SELECT {what} FROM pg_stat_activity WHERE {OTHERS}"  # noqa: S608 - of this file
            await asyncio.to_thread(stage.sql, query)
        heal(run)
        run.doubtful.append((began, run.healed))


@pytest.mark.parametrize(
    "hold",
    ["LOCK TABLE posts IN ACCESS EXCLUSIVE MODE", "SELECT FROM users FOR UPDATE"],
    ids=["table", "rows"],
)
async def test_a_lock_that_is_held_is_answered_for_in_time(stage: Scene, hold: str) -> None:
    url = stage.postgres.url(stage.database)
    async with loaded(stage) as run, holding(url, hold):
        await stage.lasts(2, long=10)
        heal(run)


async def test_a_holder_that_idles_in_its_transaction_is_ended(stage: Scene) -> None:
    limit = "SET LOCAL idle_in_transaction_session_timeout = '1s'"
    url = stage.postgres.url(stage.database)
    async with loaded(stage) as run:
        with pytest.raises(DBAPIError):  # its own COMMIT finds the connection closed
            async with holding(url, limit, "SELECT FROM users FOR UPDATE"):
                await asyncio.sleep(2)  # how long it idles
        heal(run)
