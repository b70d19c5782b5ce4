"""The timed part: every server in turn, several rounds, medians and paired ratios."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.lab.progress import Progress
from benchmarks.lab.servers import Server
from benchmarks.lab.wrk import Load, Request, put_load
from benchmarks.server.application import SMALL

KINDS = {
    "small": Request("GET", "/small"),
    "large": Request("GET", "/large"),
    "post": Request("POST", "/small", SMALL.decode()),
}
CONNECTIONS = 32
HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "Authorization": "Bearer kp_production_018f3f6e0000700080000000000000000123456789",
}


class Wrong(RuntimeError):
    """A server did not answer as it must, so that its figures would mean nothing."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one load showed.

    Attributes:
        cpu: CPU time of the server with all its threads, in microseconds per request.
        p99: 99th percentile of the latency in milliseconds, with the core busy all the time.
    """

    cpu: float
    p99: float


Rounds = Mapping[str, Mapping[str, Sequence[Figures]]]


def check(name: str, server: Server) -> None:
    """Sees to it that a server answers what the others answer.

    Raises:
        Wrong: it does not.
    """
    for request in KINDS.values():
        answer = server.ask(request.method, request.path, request.body, HEADERS)
        size = 10_000 if request.path == "/large" else 300
        if (answer.status, len(answer.body)) != (200, size):
            raise Wrong(f"{name}: {request.method} {request.path} gave {answer}")


def measure(
    servers: Mapping[str, Server], *, rounds: int, seconds: int, core: int, progress: Progress
) -> Rounds:
    """Measures all servers in turn; all run, the others idle.

    Args:
        servers: by name.
        rounds: how often each has its turn; one more, which is not counted, warms up.
        seconds: length of a load.
        core: the CPU core of wrk.
        progress: told about each load.

    Returns:
        The figures by server and kind of request.

    Raises:
        Wrong: an answer was an error.
    """
    found: dict[str, dict[str, list[Figures]]] = {
        name: {kind: [] for kind in KINDS} for name in servers
    }
    for number in range(rounds + 1):
        for kind, request in KINDS.items():
            for name, server in servers.items():
                progress.next(f"{name}, {kind}")
                figures = _once(name, server, request, seconds if number else 1, core)
                if number:
                    found[name][kind].append(figures)
    return found


def _once(name: str, server: Server, request: Request, seconds: int, core: int) -> Figures:
    before = server.cpu_seconds()
    load: Load = put_load(
        server.url,
        [request],
        seconds=seconds,
        connections=CONNECTIONS,
        core=core,
        headers=HEADERS,
    )
    used = server.cpu_seconds() - before
    if load.errors or not load.requests:
        raise Wrong(f"{name}: {load}")
    server.wait_until_idle()
    return Figures(cpu=used / load.requests * 1e6, p99=load.p99)


def cpu(rounds: Sequence[Figures]) -> float:
    """The median CPU time per request."""
    return median(one.cpu for one in rounds)


def p99(rounds: Sequence[Figures]) -> float:
    """The median of the 99th percentiles."""
    return median(one.p99 for one in rounds)


def ratio(rounds: Sequence[Figures], base: Sequence[Figures]) -> float:
    """The median of the ratios to another server's CPU time, round by round.

    What disturbs the machine for a while disturbs both sides of a round.
    """
    return median(one.cpu / other.cpu for one, other in zip(rounds, base, strict=True))
