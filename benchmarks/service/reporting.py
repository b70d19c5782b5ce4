"""The results as JSON, as Markdown tables and as a plot."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

from benchmarks.lab.accounting import Memory
from benchmarks.lab.bars import Row, chart
from benchmarks.lab.tables import number, table
from benchmarks.service.contenders import Peer
from benchmarks.service.measuring import REQUESTS, Cell, Figures, Plan


@dataclass(frozen=True, slots=True)
class Result:
    """What is known of a peer after the run.

    Attributes:
        peer: which.
        versions: of its packages.
        cells: the figures by kind of request.
        memory: of its processes at the end.
    """

    peer: Peer
    versions: Mapping[str, str]
    cells: Mapping[str, Cell]
    memory: Memory

    def figures(self, kind: str) -> Figures:
        """The medians for one kind of request."""
        return self.cells[kind].figures

    @property
    def errors(self) -> int:
        """All failed requests."""
        return sum(self.figures(kind).errors for kind in self.cells)

    @property
    def cost(self) -> float:
        """The geometric mean of CPU per request over the kinds of requests; orders the tables."""
        return prod(self.figures(kind).cpu for kind in REQUESTS) ** (1 / len(REQUESTS))


def ordered(results: Sequence[Result]) -> list[Result]:
    """The cheapest first."""
    return sorted(results, key=lambda result: result.cost)


def summary(results: Sequence[Result]) -> str:
    """The table for the README: CPU per request, and requests per second in brackets."""
    head = ["server CPU per request, µs (requests/s)", *REQUESTS.values()]
    return table(
        head,
        [
            [_title(result), *(_cost_and_rate(result.figures(kind)) for kind in REQUESTS)]
            for result in ordered(results)
        ],
    )


def _title(result: Result) -> str:
    return f"**{result.peer.title}**" if result.peer.ours else result.peer.title


def _cost_and_rate(figures: Figures) -> str:
    errors = f", {figures.errors} errors" if figures.errors else ""
    return f"{number(figures.cpu)} ({number(figures.per_second)}{errors})"


def details(results: Sequence[Result]) -> str:
    """One table for each kind of request, and one for memory."""
    parts = [f"### {title}\n\n{_details_of(kind, results)}" for kind, title in REQUESTS.items()]
    parts.append(f"### Memory at the end\n\n{_memory(results)}")
    return "\n\n".join(parts)


def _details_of(kind: str, results: Sequence[Result]) -> str:
    head = ["", "CPU µs", "PostgreSQL CPU µs", "requests/s", "p50 ms", "p95 ms", "p99 ms", "errors"]
    cheapest = sorted(results, key=lambda result: result.figures(kind).cpu)
    return table(head, [[_title(one), *_columns(one.figures(kind))] for one in cheapest])


def _columns(figures: Figures) -> list[str]:
    measured = (figures.cpu, figures.postgres_cpu, figures.per_second)
    latencies = (figures.p50, figures.p95, figures.p99)
    return [*map(number, measured), *map(number, latencies), str(figures.errors)]


def _memory(results: Sequence[Result]) -> str:
    rows = [
        [_title(one), number(one.memory.resident / 1e6), number(one.memory.proportional / 1e6)]
        for one in sorted(results, key=lambda result: result.memory.resident)
    ]
    return table(["", "RSS, MB", "PSS, MB"], rows)


def plot(results: Sequence[Result], note: str) -> str:
    """The plot of CPU per request, the cheapest on top."""
    rows = [
        Row(
            result.peer.title,
            {title: result.figures(kind).cpu for kind, title in REQUESTS.items()},
            ours=result.peer.ours,
        )
        for result in ordered(results)
    ]
    title = "Server CPU per request in microseconds (less is better)"
    return chart(title, note, list(REQUESTS.values()), rows)


def as_json(
    results: Sequence[Result],
    *,
    plan: Plan,
    context: Mapping[str, Any],
    left_out: Mapping[str, str],
) -> dict[str, Any]:
    """Everything, for programs.

    Args:
        results: of the peers that were timed.
        plan: how was measured.
        context: date, command, revision, machine.
        left_out: the reason for each peer that was not timed.
    """
    return {
        **context,
        "plan": asdict(plan),
        "left_out": dict(left_out),
        "peers": {result.peer.name: _peer_as_json(result) for result in ordered(results)},
    }


def _peer_as_json(result: Result) -> dict[str, Any]:
    return {
        "title": result.peer.title,
        "versions": dict(result.versions),
        "memory_bytes": asdict(result.memory),
        "requests": {
            kind: {
                "median": asdict(cell.figures),
                "rounds": [asdict(figures) for figures in cell.rounds],
            }
            for kind, cell in result.cells.items()
        },
    }
