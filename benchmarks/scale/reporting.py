"""The results as Markdown tables and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.lab.tables import number, table
from benchmarks.scale.asides import Deletion, Search
from benchmarks.scale.measuring import Cell, depth_ratios, size_ratios, total
from benchmarks.scale.places import SECOND
from benchmarks.service.measuring import Figures

ALLOWED = 1.2


@dataclass(slots=True)
class Results:
    """What came out; what was not asked for is empty.

    Attributes:
        cells: the cost of each case on each side.
        searches: by number of posts.
        connections: the figures by title of the request.
        connections_open: how many there were then.
        deletion: of the busiest user.
    """

    cells: list[Cell] = field(default_factory=list)
    searches: dict[int, list[Search]] = field(default_factory=dict)
    connections: dict[str, Figures] = field(default_factory=dict)
    connections_open: int = 0
    deletion: Deletion | None = None

    @property
    def errors(self) -> int:
        """All failed requests."""
        figures = [*(cell.figures for cell in self.cells), *self.connections.values()]
        return sum(one.errors for one in figures)


def tables(results: Results) -> str:
    """All tables, each with a heading."""
    parts = []
    if results.cells:
        parts += ["### Cost and place", _growth(results.cells), verdict(results.cells)]
    if results.connections:
        heading = f"### {results.connections_open} connections"
        parts += [heading, _connections(results.connections)]
    if results.searches:
        parts += ["### Full-text search, one request at a time", _searches(results.searches)]
    if results.deletion is not None:
        parts += ["### Deleting a user with many posts", _deletion(results.deletion)]
    return "\n\n".join(parts)


def _growth(cells: Sequence[Cell]) -> str:
    head = ["", "posts", "server CPU µs", "PostgreSQL CPU µs", "p50 ms", "p95 ms"]
    head += ["÷ depth 1", f"÷ depth {SECOND}", "÷ smaller", "errors"]
    firsts, seconds = depth_ratios(cells, 1), depth_ratios(cells, SECOND)
    sizes = size_ratios(cells)
    large = max(cell.posts for cell in cells)
    rows = []
    for cell in cells:
        found = cell.figures
        measured = (found.cpu, found.postgres_cpu, found.p50, found.p95)
        place = (cell.posts, cell.case.title)
        size = sizes.get(cell.case.title) if cell.posts == large else None
        rows.append(
            [
                cell.case.title,
                f"{cell.posts:,}".replace(",", " "),
                *map(number, measured),
                _ratio(firsts.get(place)),
                _ratio(seconds.get(place)),
                _ratio(size),
                str(found.errors),
            ]
        )
    return table(head, rows)


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def verdict(cells: Sequence[Cell]) -> str:
    """The dearest ratios in one sentence each."""
    lines = []
    for what, ratios in (
        ("pages beside the first one, which has no cursor", depth_ratios(cells, 1)),
        ("deep pages beside the second one", depth_ratios(cells, SECOND)),
        ("the larger table beside the smaller", size_ratios(cells)),
    ):
        if ratios:
            value = max(ratios.values())
            met = "met" if value <= ALLOWED else "missed"
            lines.append(
                f"Highest ratio for {what}, CPU of server and PostgreSQL together: "
                f"{value:.2f} (goal {ALLOWED}: {met})."
            )
    return "\n".join(lines)


def _connections(measured: Mapping[str, Figures]) -> str:
    head = ["", "requests/s", "p50 ms", "p95 ms", "p99 ms", "server CPU µs", "PostgreSQL CPU µs"]
    rows = []
    for title, one in measured.items():
        figures = (one.per_second, one.p50, one.p95, one.p99, one.cpu, one.postgres_cpu)
        rows.append([title, *map(number, figures), str(one.errors)])
    return table([*head, "errors"], rows)


def _searches(searches: Mapping[int, Sequence[Search]]) -> str:
    head = ["word", "posts", "found", "status", "median ms", "PostgreSQL CPU ms"]
    rows = [
        [
            one.word,
            f"{posts:,}".replace(",", " "),
            f"{one.found:,}".replace(",", " "),
            str(one.status),
            number(one.seconds * 1000),
            number(one.postgres_cpu * 1000),
        ]
        for posts, found in searches.items()
        for one in found
    ]
    return table(head, rows)


def _deletion(one: Deletion) -> str:
    head = ["posts of the user", "status", "seconds", "audit rows", "the statement alone, s"]
    head += ["limit of a statement, s"]
    figures = (one.seconds, one.deleted, one.statement_seconds, one.statement_timeout)
    row = [f"{one.posts:,}".replace(",", " "), str(one.status), *map(number, figures)]
    return table(head, [row])


def as_json(results: Results, context: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        **context,
        "cost": [_cell(cell) for cell in results.cells],
        "depth_ratios": [
            {"posts": posts, "case": title, "beside": beside, "ratio": ratio}
            for beside in (1, SECOND)
            for (posts, title), ratio in depth_ratios(results.cells, beside).items()
        ],
        "size_ratios": dict(size_ratios(results.cells)) if results.cells else {},
        "connections": {title: asdict(one) for title, one in results.connections.items()},
        "connections_open": results.connections_open,
        "searches": {
            posts: [asdict(one) for one in found] for posts, found in results.searches.items()
        },
        "deletion": None if results.deletion is None else asdict(results.deletion),
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "case": cell.case.title,
        "posts": cell.posts,
        "total_cpu": total(cell.figures),
        "median": asdict(cell.figures),
        "rounds": [asdict(figures) for figures in cell.rounds],
    }
