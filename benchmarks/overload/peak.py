"""The most that a process can do, to which storms are compared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.lab.postgres import Postgres
from benchmarks.overload.storms import Plan, order_for, run_clients
from benchmarks.service.contenders import Peer, running

_CONNECTIONS = (32, 128, 256)


@dataclass(frozen=True, slots=True)
class Peak:
    """What a process can do.

    Attributes:
        per_second: requests done in a second.
        per_cpu_second: requests done in a second of CPU time of the server.
    """

    per_second: float
    per_cpu_second: float


def peaks(peer: Peer, database: Postgres, plan: Plan, logs: Path) -> list[Peak]:
    """What is done when clients only wait for their answers, with few of them and with more."""
    found = []
    with running(peer, database, core=plan.server_core, logs=logs) as service:
        for connections in (_CONNECTIONS[0], *_CONNECTIONS):  # the first warms up
            order = order_for(service, database, replace(plan, connections=connections), 0)
            order = replace(order, phases=[(plan.peak_seconds, 0)], timeout=10.0)
            used = service.server.cpu_seconds()
            seen = run_clients(order, plan)
            used = service.server.cpu_seconds() - used
            done = [one for one in seen.results if one.good]
            in_time = [one for one in done if one.due + one.seconds < plan.peak_seconds]
            found.append(Peak(len(in_time) / plan.peak_seconds, len(done) / used))
    return found[1:]


def highest(rounds: Sequence[Sequence[Peak]]) -> Peak:
    """The peak out of several rounds: the best number of connections by its median.

    The best of all single measurements would be as good as the luck of one.
    """
    return max(map(_median, zip(*rounds, strict=True)), key=_per_second)


def _median(found: Sequence[Peak]) -> Peak:
    return sorted(found, key=_per_second)[(len(found) - 1) // 2]


def _per_second(peak: Peak) -> float:
    return peak.per_second
