"""The timed part: every kind of request on both sizes in turn, several rounds, medians."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.lab.postgres import Postgres
from benchmarks.lab.progress import Progress
from benchmarks.lab.wrk import Request, put_load
from benchmarks.scale.places import Case, all_posts
from benchmarks.service.contenders import Contender
from benchmarks.service.measuring import Figures


class WrongAnswer(RuntimeError):
    """The service answered something else than what is to be measured."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How is measured.

    Attributes:
        rounds: how often each case has its turn.
        seconds: length of a timed load.
        warmup: seconds of load before it; each connection to the database then has its plans.
        connections: kept open and busy.
        load_core: the CPU core of wrk and PostgreSQL.
    """

    rounds: int
    seconds: int
    warmup: int
    connections: int
    load_core: int


@dataclass(frozen=True, slots=True)
class Side:
    """A service on a database of some size.

    Attributes:
        posts: how many there are.
        contender: the running service.
        postgres: its database; both sides are on the same PostgreSQL.
        cases: what is asked for.
    """

    posts: int
    contender: Contender
    postgres: Postgres
    cases: Sequence[Case]


@dataclass(frozen=True, slots=True)
class Cell:
    """One case on one side.

    Attributes:
        posts: the size of the side.
        case: which.
        rounds: the figures of each round.
    """

    posts: int
    case: Case
    rounds: Sequence[Figures]

    @property
    def figures(self) -> Figures:
        """The medians."""
        return Figures.median(self.rounds)

    def ratio(self, base: "Cell") -> float:
        """CPU of server and PostgreSQL ÷ that of another case: the median of the rounds."""
        pairs = zip(self.rounds, base.rounds, strict=True)
        return median(total(one) / total(other) for one, other in pairs)


def total(figures: Figures) -> float:
    """CPU time of server and PostgreSQL per request, in microseconds."""
    return figures.cpu + figures.postgres_cpu


def check(side: Side) -> None:
    """Makes sure that the requests ask for what they are named after.

    Raises:
        WrongAnswer: an answer is no success, a page begins at another row, or a cursor is not
            the one that the service gives.
    """
    for case in side.cases:
        told = _asked(side, case.requests[0])
        if case.first is not None and told["items"][0]["id"] != case.first:
            raise WrongAnswer(f"{case.title} begins with another row")
    _compare_cursors(side)


def _compare_cursors(side: Side) -> None:
    second = all_posts().at(side.postgres, 21).requests[0]
    given = _asked(side, all_posts().at(side.postgres, 1).requests[0])["next"]
    if not second.path.endswith(f"cursor={given}"):
        raise WrongAnswer("the cursors made here are not those of the service")


def _asked(side: Side, request: Request) -> dict[str, Any]:
    contender = side.contender
    answer = contender.server.ask(
        request.method, request.path, request.body, dict(contender.headers)
    )
    if answer.status != 200:
        raise WrongAnswer(f"{request.path} is answered with {answer.status}: {answer.body[:200]!r}")
    told: dict[str, Any] = json.loads(answer.body)
    return told


def measure(sides: Sequence[Side], plan: Plan) -> list[Cell]:
    """Measures all cases of all sides in turn.

    Args:
        sides: running and checked.
        plan: how often and how long.

    Returns:
        A cell for each side and case.
    """
    turns = [(side, case) for side, case in _pairs(sides)]
    progress = Progress(plan.rounds * len(turns), plan.seconds + plan.warmup + 0.8)
    rounds: list[list[Figures]] = [[] for _ in turns]
    for number in range(plan.rounds):
        for (side, case), figures in zip(turns, rounds, strict=True):
            progress.next(f"round {number + 1}  {side.posts:,} posts  {case.title}")
            figures.append(load(side, case.requests, plan))
    progress.end()
    return [
        Cell(side.posts, case, figures) for (side, case), figures in zip(turns, rounds, strict=True)
    ]


def _pairs(sides: Sequence[Side]) -> Iterator[tuple[Side, Case]]:
    """Cases of one name stand together, since they are compared with each other."""
    names = dict.fromkeys(case.name for side in sides for case in side.cases)
    for name in names:
        for side in sides:
            yield from ((side, case) for case in side.cases if case.name == name)


def load(side: Side, requests: Sequence[Request], plan: Plan) -> Figures:
    """One timed load, after a warm-up.

    Args:
        side: the service.
        requests: taken from at random.
        plan: how long, and with how many connections.

    Returns:
        CPU per request and latencies.
    """
    contender, postgres = side.contender, side.postgres

    def put(seconds: int) -> Figures:
        cpu, postgres_cpu = contender.server.cpu_seconds(), postgres.cpu_seconds()
        seen = put_load(
            contender.server.url,
            requests,
            seconds=seconds,
            connections=plan.connections,
            core=plan.load_core,
            headers=contender.headers,
        )
        cpu = contender.server.cpu_seconds() - cpu
        postgres_cpu = postgres.cpu_seconds() - postgres_cpu
        contender.server.wait_until_idle()
        return Figures.of(seen, cpu=cpu, postgres_cpu=postgres_cpu, connections=plan.connections)

    put(plan.warmup)
    return put(plan.seconds)


def depth_ratios(cells: Sequence[Cell], beside: int) -> Mapping[tuple[int, str], float]:
    """What deeper pages cost beside the one at a depth, by posts and title."""
    bases = {(cell.posts, cell.case.name): cell for cell in cells if cell.case.depth == beside}
    found = {}
    for cell in cells:
        base = bases.get((cell.posts, cell.case.name))
        if base is not None and cell.case.depth > beside:
            found[cell.posts, cell.case.title] = cell.ratio(base)
    return found


def size_ratios(cells: Sequence[Cell]) -> Mapping[str, float]:
    """What each case costs on the largest side beside the smallest, where both have it."""
    small = min(cell.posts for cell in cells)
    large = max(cell.posts for cell in cells)
    bases = {cell.case.title: cell for cell in cells if cell.posts == small}
    return {
        cell.case.title: cell.ratio(bases[cell.case.title])
        for cell in cells
        if cell.posts == large and large != small and cell.case.title in bases
    }
