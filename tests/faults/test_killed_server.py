"""Server processes are killed while others serve; clients keep a journal."""

import asyncio

from tests.faults.fleet import Fleet
from tests.faults.rig.report import Rows
from tests.faults.workload import working


async def test_killed_servers_lose_nothing_do_nothing_twice_and_keep_every_order(
    fleet: Fleet, rows: Rows, is_long: bool
) -> None:
    async with working(fleet, rows):
        for number in range(9 if is_long else 1):
            await asyncio.sleep(0.5)  # load, before the next one dies
            fleet.kill(number % 2)
            await fleet.replace(number % 2)
        fleet.kill(1)  # and the clients go on with the other one
