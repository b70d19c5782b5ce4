import asyncio

import pytest
from sqlalchemy.util.concurrency import await_only, greenlet_spawn
from sqlalchemy.util.queue import Empty
from tests.kingpost.support import Open, until

from kingpost.database.fair_queue import FairQueue


@pytest.fixture
def queue() -> FairQueue[str]:
    return FairQueue(maxsize=1)


def waiting(queue: FairQueue[str], timeout: float | None = 60) -> "asyncio.Task[str]":
    return asyncio.create_task(greenlet_spawn(queue.get, True, timeout))


async def test_the_first_in_line_is_served_first(queue: FairQueue[str]) -> None:
    line = [waiting(queue) for _ in range(3)]
    await asyncio.sleep(0)

    for name in ("a", "b", "c"):
        queue.put_nowait(name)

    assert await asyncio.gather(*line) == ["a", "b", "c"]
    assert queue.empty()


async def test_nobody_takes_what_was_handed_to_the_one_in_line(queue: FairQueue[str]) -> None:
    first = waiting(queue)
    await asyncio.sleep(0)
    queue.put_nowait("a")

    with pytest.raises(Empty):
        queue.get_nowait()

    assert await first == "a"


async def test_who_gives_up_is_passed_over(queue: FairQueue[str]) -> None:
    late, cancelled, patient = waiting(queue, 0), waiting(queue), waiting(queue)
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(Empty):
        await late

    queue.put_nowait("a")

    assert await patient == "a"
    assert cancelled.cancelled()


async def test_what_was_handed_over_in_the_last_moment_is_not_lost(queue: FairQueue[str]) -> None:
    leaving, next_one = waiting(queue), waiting(queue)
    await asyncio.sleep(0)
    queue.put_nowait("a")
    leaving.cancel()

    assert await next_one == "a"
    assert leaving.cancelled()


async def test_a_busy_task_does_not_starve_the_others(open_library: Open, library_url: str) -> None:
    database = open_library(library_url, pool_size=1)
    engine = database.engine.sync_engine
    order: list[str] = []

    def greedy() -> None:
        for number in range(5):
            with engine.connect():
                if number == 0:
                    await_only(until(lambda: database.pool_status().waiting == 3))
                order.append("greedy")

    def patient() -> None:
        with engine.connect():
            order.append("patient")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(greenlet_spawn(greedy))
        for _ in range(3):
            tasks.create_task(greenlet_spawn(patient))

    assert order == ["greedy", *["patient"] * 3, *["greedy"] * 4]
