"""Storms of several times as much as a process can do, each on a fresh server."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from benchmarks.lab.accounting import cpu_seconds
from benchmarks.lab.machine import ROOT, pinned
from benchmarks.lab.postgres import Postgres
from benchmarks.lab.wrk import Request
from benchmarks.overload.generator import GOOD, TIMED_OUT, UNSENT, Order
from benchmarks.service.contenders import Contender, Peer, running
from benchmarks.service.measuring import requests_for

SHARES = {"user": 40, "page": 30, "create": 30}
NO_LIMIT = 1_000_000_000
CALM = 0.5  # of the peak, before and after a storm
_SHED = 503
_SAMPLE_SECONDS = 0.2


class StormFailed(RuntimeError):
    """The clients could not do what they should."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How is measured.

    Attributes:
        factors: of the peak, one storm each.
        peak_seconds: of the closed loop that finds the peak.
        before: seconds of calm before a storm.
        storm: seconds.
        after: seconds of calm, and of watching, after it.
        rounds: of each storm.
        connections: how many the clients may have at once in a storm.
        timeout: seconds after which a client gives up.
        load_core: of clients and PostgreSQL.
        server_core: of the service.
    """

    factors: Sequence[float]
    peak_seconds: float
    before: float
    storm: float
    after: float
    rounds: int
    connections: int
    timeout: float
    load_core: int
    server_core: int


@dataclass(frozen=True, slots=True)
class Result:
    """A try of a request and what became of it.

    Attributes:
        kind: of the request.
        due: when it should be sent, in seconds from the beginning.
        seconds: from then until its answer, or until it was given up.
        status: of the answer; `TIMED_OUT` or `UNSENT` without one.
        number: of the try; 0 is the first.
    """

    kind: str
    due: float
    seconds: float
    status: int
    number: int

    @property
    def good(self) -> bool:
        """Whether it was done."""
        return self.status in GOOD

    @property
    def shed(self) -> bool:
        """Whether it was refused."""
        return self.status == _SHED

    @property
    def unanswered(self) -> bool:
        """Whether its client gave up."""
        return self.status == TIMED_OUT

    @property
    def unsent(self) -> bool:
        """Whether every connection was taken."""
        return self.status == UNSENT


@dataclass(frozen=True, slots=True)
class Storm:
    """A storm and what was seen of it.

    Attributes:
        factor: of the peak.
        limit: `APP_MAX_REQUESTS`.
        retries: how often a client tries again.
        rate: requests a second that came, without retries.
        began: when the storm began; `ended` likewise.
        results: of all tries, calm times included.
        generator_cpu: the share of a core that the clients took, all the time.
        server_cpu: seconds of CPU time that the server used in the storm.
    """

    factor: float
    limit: int
    retries: int
    rate: float
    began: float
    ended: float
    results: Sequence[Result]
    generator_cpu: float
    server_cpu: float

    def during(self) -> list[Result]:
        """The tries that were due in the storm."""
        return [one for one in self.results if self.began <= one.due < self.ended]

    def goodput(self) -> float:
        """Requests done in a second of the storm."""
        return sum(one.good for one in self.during()) / (self.ended - self.began)


def storm(
    peer: Peer,
    database: Postgres,
    plan: Plan,
    logs: Path,
    *,
    peak_rate: float,
    factor: float,
    limit: int,
    retries: int,
) -> Storm:
    """Calm, a storm, calm again.

    Args:
        peer: the service.
        database: its database.
        plan: how long.
        logs: folder for the log of the service.
        peak_rate: requests a second that it can do.
        factor: how much more comes.
        limit: `APP_MAX_REQUESTS`.
        retries: how often a client tries again.

    Returns:
        What was seen.
    """
    limited = replace(peer, environment={"APP_MAX_REQUESTS": str(limit)})
    calm, rate = peak_rate * CALM, peak_rate * factor
    with running(limited, database, core=plan.server_core, logs=logs) as service:
        order = replace(
            order_for(service, database, plan, retries),
            phases=[(plan.before, calm), (plan.storm, rate), (plan.after, calm)],
        )
        with Samples(service.server.process.pid) as samples:
            seen = run_clients(order, plan)
    ended = plan.before + plan.storm
    return Storm(
        factor,
        limit,
        retries,
        rate,
        plan.before,
        ended,
        seen.results,
        seen.cpu_seconds / (ended + plan.after),
        samples.between(seen.began + plan.before, seen.began + ended),
    )


def order_for(service: Contender, database: Postgres, plan: Plan, retries: int) -> Order:
    """What the clients have to do, but for when."""
    users = [row[0] for row in database.sql("SELECT id FROM users LIMIT 1000")]
    requests = requests_for(service.peer.paths, users)
    return Order(
        port=service.server.port,
        requests={
            kind: [_as_text(one, service.headers) for one in ones]
            for kind, ones in requests.items()
        },
        shares=SHARES,
        phases=[],
        connections=plan.connections,
        timeout=plan.timeout,
        retries=retries,
    )


def _as_text(request: Request, headers: Mapping[str, str]) -> str:
    lines = [f"{request.method} {request.path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if request.body is None:
        return "\r\n".join([*lines, "", ""])
    length = len(request.body.encode())
    lines += ["Content-Type: application/json", f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", request.body])


class Samples:
    """What a process has used, noted several times a second.

    Args:
        pid: of the process.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seen: list[tuple[float, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            self._seen.append((time.monotonic(), cpu_seconds(self._pid)))

    def between(self, begin: float, end: float) -> float:
        """CPU seconds used between two times of the monotonic clock."""
        used = [cpu for at, cpu in self._seen if begin <= at <= end]
        return used[-1] - used[0] if used else 0.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the clients tell.

    Attributes:
        began: when, of the monotonic clock.
        cpu_seconds: that they took.
        results: of all tries.
    """

    began: float
    cpu_seconds: float
    results: list[Result]


def run_clients(order: Order, plan: Plan) -> Seen:
    """Runs the clients."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.overload.generator"],
        input=json.dumps(asdict(order)),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        preexec_fn=pinned(plan.load_core),
    )
    if done.returncode != 0:
        raise StormFailed(done.stderr.strip()[-800:])
    told: dict[str, Any] = json.loads(done.stdout)
    results = [Result(*one) for one in told["results"]]
    return Seen(told["began"], told["cpu_seconds"], results)
