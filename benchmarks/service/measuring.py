"""The timed part: all contenders in turn, several rounds, medians."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import median

from benchmarks.lab.postgres import Postgres
from benchmarks.lab.progress import Progress
from benchmarks.lab.wrk import Load, Request, put_load
from benchmarks.service.contenders import Contender

REQUESTS = {"user": "GET one user", "page": "GET 20 posts + authors", "create": "POST a post"}
_BODIES = 1000
_TEXT = "It was a quiet night for once; then the pager spoke, and three of us read the same plan. "


@dataclass(frozen=True, slots=True)
class Plan:
    """How is measured.

    Attributes:
        rounds: how often each contender has its turn.
        seconds: length of a timed load.
        warmup: seconds of load before it; the first round has twice as much, for Node six times.
        connections: kept open and busy.
        load_core: the CPU core of wrk and PostgreSQL.
    """

    rounds: int = 3
    seconds: int = 4
    warmup: int = 2
    connections: int = 32
    load_core: int = 0

    def steps(self, contenders: int) -> int:
        """How many timed loads there will be."""
        return self.rounds * len(REQUESTS) * contenders


@dataclass(frozen=True, slots=True)
class Figures:
    """What one load showed, or the medians of several.

    Attributes:
        cpu: CPU time of the server per request, in microseconds.
        postgres_cpu: CPU time of PostgreSQL per request, in microseconds.
        per_second: requests per second.
        p50: median latency in milliseconds; p95 and p99 likewise.
        requests: answered requests, all rounds together.
        errors: all rounds together; must be 0.
    """

    cpu: float
    postgres_cpu: float
    per_second: float
    p50: float
    p95: float
    p99: float
    requests: int
    errors: int

    @classmethod
    def of(cls, load: Load, *, cpu: float, postgres_cpu: float, connections: int) -> "Figures":
        """Divides what was used by what was done.

        When wrk stops, one request per connection is on its way, at any stage: they count half.

        Args:
            load: what wrk saw.
            cpu: CPU seconds of the server during the load.
            postgres_cpu: the same of PostgreSQL.
            connections: how many wrk had open.
        """
        served = load.requests + connections / 2
        return cls(
            cpu=cpu / served * 1e6,
            postgres_cpu=postgres_cpu / served * 1e6,
            per_second=load.per_second,
            p50=load.p50,
            p95=load.p95,
            p99=load.p99,
            requests=load.requests,
            errors=load.errors,
        )

    @classmethod
    def median(cls, several: Sequence["Figures"]) -> "Figures":
        """The median of each figure; requests and errors are added up."""
        names = [one.name for one in fields(cls)]
        middle = {name: median(getattr(one, name) for one in several) for name in names}
        counted = {
            name: sum(getattr(one, name) for one in several) for name in ("requests", "errors")
        }
        return cls(**{**middle, **counted})


@dataclass(frozen=True, slots=True)
class Cell:
    """One contender and one kind of request.

    Attributes:
        rounds: the figures of each round.
    """

    rounds: Sequence[Figures]

    @property
    def figures(self) -> Figures:
        """The medians."""
        return Figures.median(self.rounds)


Measured = dict[str, dict[str, Cell]]


def requests_for(paths: Mapping[str, str], users: Sequence[str]) -> dict[str, list[Request]]:
    """The requests of each kind that wrk takes from at random.

    Args:
        paths: of the peer.
        users: ids of users.
    """
    return {
        "user": [Request("GET", paths["user"].replace("{id}", user)) for user in users],
        "page": [Request("GET", paths["page"])],
        "create": [Request("POST", paths["create"], body) for body in _bodies(users)],
    }


def _bodies(users: Sequence[str]) -> list[str]:
    chance = random.Random(1)
    return [
        json.dumps(
            {
                "title": f"Post about night {number} on call",
                "content": f"{_TEXT * 2}Nothing is lost, {number} rows are back.",
                "author_id": chance.choice(users),
            }
        )
        for number in range(_BODIES)
    ]


def measure(
    contenders: Sequence[Contender], postgres: Postgres, plan: Plan, progress: Progress
) -> Measured:
    """Measures all contenders in turn, so that what disturbs the machine disturbs all alike.

    Args:
        contenders: running and validated.
        postgres: their database.
        plan: how often and how long.
        progress: told about each load.

    Returns:
        The figures by the name of the peer and the kind of request.
    """
    users = [row[0] for row in postgres.sql("SELECT id FROM users")]
    rounds: dict[str, dict[str, list[Figures]]] = {
        one.peer.name: {kind: [] for kind in REQUESTS} for one in contenders
    }
    for number in range(plan.rounds):
        for kind, title in REQUESTS.items():
            for one in _in_turn(contenders, number):
                progress.next(f"round {number + 1}  {one.peer.name:20} {title}")
                prepared = requests_for(one.peer.paths, users)[kind]
                warmup = plan.warmup * (_first_warmup(one) if number == 0 else 1)
                rounds[one.peer.name][kind].append(_once(one, postgres, prepared, plan, warmup))
    progress.end()
    return {
        name: {kind: Cell(figures) for kind, figures in kinds.items()}
        for name, kinds in rounds.items()
    }


def _first_warmup(one: Contender) -> int:
    """How many times as long the first one is; V8 compiles after some ten thousand requests."""
    return 6 if one.peer.kind == "node" else 2


def _in_turn(contenders: Sequence[Contender], number: int) -> list[Contender]:
    """Another one begins in each round."""
    first = number % len(contenders)
    return [*contenders[first:], *contenders[:first]]


def _once(
    one: Contender, postgres: Postgres, prepared: Sequence[Request], plan: Plan, warmup: int
) -> Figures:
    if warmup:
        _load(one, prepared, plan, warmup)
        one.server.wait_until_idle()
    cpu, postgres_cpu = one.server.cpu_seconds(), postgres.cpu_seconds()
    load = _load(one, prepared, plan, plan.seconds)
    cpu, postgres_cpu = one.server.cpu_seconds() - cpu, postgres.cpu_seconds() - postgres_cpu
    one.server.wait_until_idle()
    return Figures.of(load, cpu=cpu, postgres_cpu=postgres_cpu, connections=plan.connections)


def _load(one: Contender, prepared: Sequence[Request], plan: Plan, seconds: int) -> Load:
    return put_load(
        one.server.url,
        prepared,
        seconds=seconds,
        connections=plan.connections,
        core=plan.load_core,
        headers=one.headers,
    )
