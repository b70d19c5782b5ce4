"""CPU per read of several layers, in turns, so that a busy machine hits all of them alike."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from layers import Layer


@dataclass
class Spent:
    """µs of CPU per read."""

    ours: float
    theirs: float


async def measure(
    layers: dict[str, Layer], keys: Sequence[UUID], server: int, *, rounds: int, calls: int
) -> dict[str, Spent]:
    ours: dict[str, list[float]] = {name: [] for name in layers}
    theirs = dict.fromkeys(layers, 0.0)
    for number in range(rounds + 1):  # the first one only warms up
        for name, layer in layers.items():
            before, postgres = time.process_time(), cpu_below(server)
            await layer(keys, calls)
            spent = (time.process_time() - before) * 1_000_000 / calls
            if number:
                ours[name].append(spent)
                theirs[name] += cpu_below(server) - postgres
    return {
        name: Spent(statistics.median(ours[name]), theirs[name] / (calls * rounds))
        for name in layers
    }


def cpu_below(server: int) -> float:
    """µs of CPU of the backends of a server.

    Args:
        server: the process id of the server.
    """
    total = 0.0
    for children in Path(f"/proc/{server}/task").glob("*/children"):
        for child in children.read_text().split():
            try:
                ran = Path(f"/proc/{child}/schedstat").read_text().split()[0]
            except OSError:  # it has just ended
                continue
            total += int(ran) / 1000  # from ns
    return total
