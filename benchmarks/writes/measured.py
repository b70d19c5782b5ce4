"""Processor time per write of several variants, in turns, so that a busy machine hits all alike."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

Write = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Spent:
    """µs of CPU per write."""

    ours: float
    theirs: float


async def measure(
    variants: Mapping[str, Write], server: int, *, rounds: int, writes: int, tasks: int
) -> dict[str, Spent]:
    """Runs all variants in turns, so many writes each, by so many tasks.

    Args:
        variants: by name.
        server: the process id of PostgreSQL.
        rounds: how often; one more before them only warms up.
        writes: of each variant in each round.
        tasks: how many at the same time.

    Returns:
        The medians of the rounds, by name.
    """
    ours: dict[str, list[float]] = {name: [] for name in variants}
    theirs: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        for name, write in variants.items():
            before, postgres = time.process_time(), cpu_below(server)
            await _at_once(write, writes, tasks)
            spent = (time.process_time() - before) * 1_000_000 / writes
            if number:
                ours[name].append(spent)
                theirs[name].append((cpu_below(server) - postgres) / writes)
    return {
        name: Spent(statistics.median(ours[name]), statistics.median(theirs[name]))
        for name in variants
    }


async def _at_once(write: Write, writes: int, tasks: int) -> None:
    async def task(number: int) -> None:
        for _ in range(number, writes, tasks):
            await write()

    await asyncio.gather(*(task(number) for number in range(tasks)))


def cpu_below(server: int) -> float:
    """µs of CPU of the processes that a server has started and not ended.

    Args:
        server: the process id of the server.
    """
    return sum(_cpu(child) for child in _children(server))


def _children(server: int) -> Iterable[str]:
    return Path(f"/proc/{server}/task/{server}/children").read_text().split()


def _cpu(process: str) -> float:
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1000  # from ns
    except OSError:  # it has just ended
        return 0.0
