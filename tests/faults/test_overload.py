"""Far more is asked for than can be done, by clients that try again, and then no longer."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest
from tests.faults.rig.journal import Run
from tests.faults.rig.load import Client
from tests.faults.rig.scene import PATIENCE, Scene, heal, loaded
from tests.faults.rig.verifier import CHANGES
from tests.kingpost.support import until

ROUND_TRIP = 0.08
CROWD = 40


@pytest.fixture
def stage_settings() -> Mapping[str, str]:
    """So few connections that the database, not this machine, is what there is too little of."""
    return {"APP_POOL_SIZE": "3", "APP_DIRECT_POOL_SIZE": "3"}


@asynccontextmanager
async def crowd(stage: Scene, run: Run) -> AsyncIterator[None]:
    """Clients with hardly a pause, whose keyed creates are tried again, inside the block."""
    end = asyncio.Event()
    limits = httpx.Limits(max_connections=CROWD)
    async with (
        httpx.AsyncClient(
            base_url=stage.service.url,
            headers=stage.service.headers,
            trust_env=False,
            timeout=20,
            limits=limits,
        ) as http,
        asyncio.TaskGroup() as group,
    ):
        for number in range(CROWD):
            group.create_task(Client(1000 + number, http, run, pause=0.1).work(end))
        try:
            yield
        finally:
            end.set()


def done(run: Run, since: float, *kinds: str) -> int:
    found = (one for one in run.operations if one.kind in kinds and one.outcome == "ok")
    return sum(one.invoked > since for one in found)


async def test_ten_times_as_many_clients_are_refused_in_part_and_then_all_is_as_before(
    stage: Scene,
) -> None:
    # So many clients in one process also see how slow they are themselves.
    async with loaded(
        stage, clients=2, fresh=15, answer_seconds=4 * PATIENCE, hang_seconds=8 * PATIENCE
    ) as run:
        stage.proxy.delay = ROUND_TRIP / 2
        began = time.monotonic()
        async with crowd(stage, run):
            await stage.lasts(2, long=30)
            await until(lambda: done(run, began, *CHANGES) > 20)
            await until(lambda: done(run, began, "read", "list") > 20)
        heal(run)
        run.doubtful.append((began, run.healed))
    assert any(one.status == 503 for one in run.operations if one.invoked > began)
