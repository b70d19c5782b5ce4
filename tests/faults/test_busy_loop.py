"""The event loop of one process does nothing for two seconds, while another serves."""

import asyncio
import time
from collections.abc import Mapping

import httpx
import pytest
from tests.faults.reading import POSTS
from tests.faults.rig.sabotaged import hold_up, is_held_up, sabotage
from tests.faults.rig.scene import Scene, heal, loaded
from tests.kingpost.support import until


@pytest.fixture
def stage_environ() -> Mapping[str, str]:
    return sabotage()


async def test_a_loop_that_is_held_up_leaves_nothing_behind_and_another_serves(
    stage: Scene,
) -> None:
    other = await asyncio.to_thread(stage.start({}).wait_until_ready)
    async with (
        loaded(stage) as run,
        httpx.AsyncClient(base_url=other.url, headers=other.headers, trust_env=False) as http,
    ):
        began = time.monotonic()
        hold_up(stage.service)
        await until(lambda: is_held_up(stage.service))
        served = 0
        while is_held_up(stage.service):
            assert (await http.get(POSTS, params={"limit": 1})).status_code == 200
            served += is_held_up(stage.service)
        heal(run)
        run.doubtful.append((began, run.healed))
        assert served
