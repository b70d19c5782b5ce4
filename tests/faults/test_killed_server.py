"""Server processes are killed while others serve; clients keep a journal."""

import asyncio

from tests.faults.fleet import Fleet
from tests.faults.workload import working

KILLS = 2


async def test_killed_servers_lose_nothing_do_nothing_twice_and_keep_every_order(
    fleet: Fleet,
) -> None:
    async with working(fleet):
        await kill_in_turn(fleet)


async def kill_in_turn(fleet: Fleet) -> None:
    for number in range(KILLS):
        await asyncio.sleep(0.5)  # load, before the next one dies
        fleet.kill(number % 2)
        await fleet.replace(number % 2)
