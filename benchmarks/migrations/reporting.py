"""What was measured, as Markdown tables and as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.lab.tables import number, table
from benchmarks.migrations.performance import WARM_UP, Performance, Phase, Plan
from benchmarks.migrations.traffic import Request

SLACK = 0.1  # seconds on top of the lock timeout


@dataclass(frozen=True, slots=True)
class Latency:
    """Some requests.

    Attributes:
        count: how many.
        failed: of them.
        p50: milliseconds, as the others.
        p99: of all that were answered or failed.
        longest: the slowest one.
    """

    count: int
    failed: int
    p50: float
    p99: float
    longest: float

    @classmethod
    def of(cls, requests: Sequence[Request]) -> "Latency":
        """Takes the figures of some requests."""
        times = sorted(one.seconds * 1e3 for one in requests) or [0.0]
        return cls(
            len(requests),
            sum(one.failed for one in requests),
            times[len(times) // 2],
            times[len(times) * 99 // 100],
            times[-1],
        )

    @property
    def columns(self) -> list[str]:
        """For a table."""
        times = (self.p50, self.p99, self.longest)
        return [number(self.count), number(self.failed), *map(number, times)]


def counted(performance: Performance) -> list[Request]:
    """The requests that count: all but those of the warm-up."""
    [warm_up] = [one for one in performance.phases if one.name == WARM_UP]
    return [one for one in performance.requests if one.at >= warm_up.ended]


def during(performance: Performance, phase: Phase) -> list[Request]:
    """The requests that were due in a phase."""
    return [one for one in performance.requests if phase.began <= one.at < phase.ended]


def limit(plan: Plan) -> float:
    """What the slowest request may take, in milliseconds."""
    return (plan.lock_timeout + SLACK) * 1e3


def summary(performances: Sequence[Performance], plan: Plan) -> str:
    """The table that says it all: a line for each way."""
    head = ["", "requests", "failed", "p50 ms", "p99 ms", "slowest ms"]
    head += [f"over {limit(plan):.0f} ms", "longest wait for a lock, ms"]
    head += ["writes lost", "migrating, s", "other runner"]
    return table(head, [_summary(one, plan) for one in performances])


def _summary(one: Performance, plan: Plan) -> list[str]:
    requests = counted(one)
    slow = sum(request.seconds * 1e3 > limit(plan) for request in requests)
    migrating = sum(phase.ended - phase.began for phase in one.phases if _migrates(phase))
    title = f"**{one.way.title}**" if one.way.ours else one.way.title
    waited = number(one.waits.longest * 1e3)
    columns = [*Latency.of(requests).columns, number(slow), waited, str(len(one.lost))]
    return [title, *columns, number(migrating), _others(one)]


def _migrates(phase: Phase) -> bool:
    return phase.name.startswith("migrate")


def _others(one: Performance) -> str:
    failed = sum(run.code != 0 for runs in one.runs.values() for run in runs)
    return (
        f"failed {failed} of {len(one.runs)} times" if failed else "had nothing to do, ended with 0"
    )


def by_phase(one: Performance) -> str:
    """A table of one way: what requests felt, phase by phase."""
    head = ["phase", "seconds", "requests", "failed", "p50 ms", "p99 ms", "slowest ms"]
    rows = [
        [phase.name, number(phase.ended - phase.began), *Latency.of(during(one, phase)).columns]
        for phase in one.phases
        if phase.name != WARM_UP
    ]
    return table(head, rows)


def steps(one: Performance) -> str:
    """A table of one way: how long each revision took, of the runner that got it done."""
    rows = [
        [f"{deploy}: {name}", number(ended - began)]
        for deploy, runs in one.runs.items()
        for run in runs
        if run.code == 0
        for name, began, ended in run.steps
    ]
    return table(["deploy: revision", "seconds"], rows)


def failures(one: Performance) -> str:
    """A table of one way: what failed requests were told, and runners that failed."""
    told = [[reason, number(count)] for reason, count in Counter(one.failures).most_common(8)]
    ended = [
        [f"a runner of deploy {deploy}: {run.last_word[:160]}", "1"]
        for deploy, runs in one.runs.items()
        for run in runs
        if run.code != 0
    ]
    return table(["failure", "times"], [[_plain(text), count] for text, count in told + ended])


def _plain(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def details(performances: Sequence[Performance]) -> str:
    """All tables of all ways."""
    parts = []
    for one in performances:
        parts += [f"### {one.way.title}", by_phase(one), steps(one)]
        if one.failures or any(run.code for runs in one.runs.values() for run in runs):
            parts.append(failures(one))
    return "\n\n".join(parts)


def as_json(performances: Sequence[Performance], context: Mapping[str, Any]) -> dict[str, Any]:
    """The figures, for programs; without the single requests."""
    return {**context, "ways": {one.way.name: _as_json(one) for one in performances}}


def _as_json(one: Performance) -> dict[str, Any]:
    requests = counted(one)
    return {
        "all": _figures(requests),
        "phases": {
            phase.name: {"seconds": round(phase.ended - phase.began, 3)}
            | _figures(during(one, phase))
            for phase in one.phases
        },
        "runners": [
            {"deploy": deploy, "exit_code": run.code, "seconds": round(run.ended - run.began, 3)}
            | {"steps": {name: round(ended - began, 3) for name, began, ended in run.steps}}
            for deploy, runs in one.runs.items()
            for run in runs
        ],
        "longest_lock_wait_ms": round(one.waits.longest * 1e3),
        "slowest": [_slowest(request) for request in sorted(requests, key=_seconds)[-5:]],
        "lost": list(one.lost),
        "failures": dict(one.failures),
    }


def _seconds(request: Request) -> float:
    return request.seconds


def _slowest(request: Request) -> str:
    return f"{request.kind} at {request.at:.2f} s took {request.seconds:.3f} s"


def _figures(requests: Sequence[Request]) -> dict[str, float]:
    found = Latency.of(requests)
    return {
        "requests": found.count,
        "failed": found.failed,
        "p50_ms": round(found.p50, 2),
        "p99_ms": round(found.p99, 2),
        "longest_ms": round(found.longest, 2),
    }
