"""What was measured, as a Markdown table and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.lab.tables import number, table
from benchmarks.overload.storms import NO_LIMIT, Peak, Result, Storm

# A second is normal when so many of its requests were done, and so fast.
NORMAL_SHARE, NORMAL_SECONDS = 0.99, 0.25


def normal_after(storm: Storm, watched: float) -> int | None:
    """How many seconds after a storm the first normal one is over; 1 is at once.

    Args:
        storm: that has ended.
        watched: seconds after it.

    Returns:
        The number of that second; None if there was none.
    """
    for second in range(int(watched)):
        begin = storm.ended + second
        due = [one for one in storm.results if begin <= one.due < begin + 1 and one.number == 0]
        done = sorted(one.seconds for one in due if one.good)
        if due and len(done) >= NORMAL_SHARE * len(due) and at(done, 0.99) <= NORMAL_SECONDS:
            return second + 1
    return None


def at(times: Sequence[float], part: float) -> float:
    """The time that this part of all is faster than; `times` are sorted."""
    return times[min(len(times) - 1, int(len(times) * part))] if times else 0.0


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
    head += ["given up, 1/s", "unsent, 1/s", "normal in second", "clients' CPU"]
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
        f"none of {watched:g}" if normal is None else str(normal),
        f"{storm.generator_cpu:.0%}",
    ]


def figures(storm: Storm, peak: Peak, watched: float) -> dict[str, Any]:
    """The figures of a storm."""
    during = storm.during()
    seconds = storm.ended - storm.began
    lists = [one for one in during if one.kind == "page"]
    per_cpu = sum(one.good for one in during) / (storm.server_cpu or seconds)
    done, refused = _times(during, "good"), _times(during, "shed")
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
        "normal_in_second": normal_after(storm, watched),
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
