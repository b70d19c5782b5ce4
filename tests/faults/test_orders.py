"""What Jepsen asks of a store, asked of the service while its way to the database breaks."""

import asyncio

from tests.faults.fleet import Fleet
from tests.faults.rig.report import Rows
from tests.faults.rig.scene import Scene
from tests.faults.workload import working

OTHERS = "application_name = 'app' AND datname = current_database()"


async def test_killed_backends_and_cut_connections_keep_every_order(
    stage: Scene, rows: Rows
) -> None:
    fleet = Fleet(lambda: stage.start({}), [stage.service])
    async with working(fleet, rows):
        for _ in range(10 if stage.is_long else 1):
            await asyncio.to_thread(stage.postgres.kill_backend, stage.database)
            await asyncio.sleep(0.3)  # load, before the next blow
            await asyncio.to_thread(stage.proxy.cut)
            await asyncio.sleep(0.3)  # load, before the next blow
            terminate = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OTHERS}"  # noqa: S608 - of this file
            await asyncio.to_thread(stage.sql, terminate)


async def test_lost_commits_keep_every_order(stage: Scene, rows: Rows) -> None:
    fleet = Fleet(lambda: stage.start({}), [stage.service])
    async with working(fleet, rows):
        for what in ("request", "reply") * (5 if stage.is_long else 1):
            stage.proxy.lose_commits(what, every=5)
            await asyncio.sleep(1)  # how long the fault lasts
        stage.proxy.lose_commits(None)
    assert stage.proxy.lost
