"""What was measured, as a Markdown table and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.lab.tables import number, table
from benchmarks.overload.aftermath import at, normal_after, over_after, second_after
from benchmarks.overload.peak import Peak
from benchmarks.overload.storms import NO_LIMIT, Result, Storm


def summary(storms: Sequence[Storm], peak: Peak, watched: float) -> str:
    """The table: a line for each storm."""
    head = [
        "",
        "comes, 1/s",
        "done, 1/s",
        "of the peak",
        "per CPU, of the peak",
        "done p50 ms",
        "p99 ms",
    ]
    head += ["lists done", "refused, 1/s", "refused p50 ms", "p99 ms"]
    head += ["given up, 1/s", "unsent, 1/s", "over after, s", "first second done"]
    head += ["p99 ms", "normal in second", "clients' CPU"]
    return table(head, [_row(one, peak, watched) for one in storms])


def _row(storm: Storm, peak: Peak, watched: float) -> list[str]:
    told = figures(storm, peak, watched)
    title = f"{storm.factor:g} × the peak"
    title += f", {storm.retries} retries" if storm.retries else ""
    title = f"**{title}**" if storm.limit != NO_LIMIT else f"{title}, no limit"
    normal = told["normal_in_second"]
    return [
        title,
        number(storm.rate),
        number(told["done_per_second"]),
        f"{told['of_peak']:.0%}",
        f"{told['per_cpu_of_peak']:.0%}",
        *(number(told[name]) for name in ("done_p50_ms", "done_p99_ms")),
        f"{told['lists_done']:.0%}",
        number(told["refused_per_second"]),
        *(number(told[name]) for name in ("refused_p50_ms", "refused_p99_ms")),
        *(number(told[name]) for name in ("given_up_per_second", "unsent_per_second")),
        f"{told['over_after']:g}",
        f"{told['first_second_done']:.1%}",
        number(told["first_second_p99_ms"]),
        "none" if normal is None else str(normal),
        f"{storm.generator_cpu:.0%}",
    ]


def figures(storm: Storm, peak: Peak, watched: float) -> dict[str, Any]:
    """The figures of a storm."""
    during = storm.during()
    seconds = storm.ended - storm.began
    lists = [one for one in during if one.kind == "page"]
    per_cpu = sum(one.good for one in during) / (storm.server_cpu or seconds)
    done, refused = _times(during, "good"), _times(during, "shed")
    over = over_after(storm, peak.per_second)
    first, first_p99 = second_after(storm, over)
    return {
        "factor": storm.factor,
        "limit": None if storm.limit == NO_LIMIT else storm.limit,
        "retries": storm.retries,
        "comes_per_second": round(storm.rate),
        "done_per_second": round(storm.goodput()),
        "of_peak": round(storm.goodput() / peak.per_second, 3),
        "per_cpu_second": round(per_cpu),
        "per_cpu_of_peak": round(per_cpu / peak.per_cpu_second, 3),
        "done_p50_ms": round(at(done, 0.5), 1),
        "done_p99_ms": round(at(done, 0.99), 1),
        "lists_done": round(sum(one.good for one in lists) / max(1, len(lists)), 3),
        "refused_per_second": round(len(refused) / seconds),
        "refused_p50_ms": round(at(refused, 0.5), 1),
        "refused_p99_ms": round(at(refused, 0.99), 1),
        "given_up_per_second": round(sum(one.unanswered for one in during) / seconds),
        "unsent_per_second": round(sum(one.unsent for one in during) / seconds),
        "over_after": over,
        "first_second_done": round(first, 3),
        "first_second_p99_ms": round(first_p99 * 1e3),
        "normal_in_second": normal_after(storm, watched, over),
        "clients_cpu": round(storm.generator_cpu, 2),
    }


def _times(results: Sequence[Result], which: str) -> list[float]:
    """Milliseconds, sorted."""
    return sorted(one.seconds * 1e3 for one in results if getattr(one, which))


def as_json(
    storms: Sequence[Storm], peak: Peak, watched: float, context: Mapping[str, Any]
) -> dict[str, Any]:
    """The figures, for programs; without the single requests."""
    told = [figures(one, peak, watched) for one in storms]
    return {**context, "peak": asdict(peak), "storms": told}
