"""`python -m benchmarks.ratelimit`: the service without and with a rate limit, side by side."""

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from benchmarks.lab.tables import number, table
from benchmarks.service.contenders import Peer, all_peers, chosen
from benchmarks.service.measuring import REQUESTS, Figures, Plan
from benchmarks.service.reporting import Result
from benchmarks.service.running import run, say

BARE = "kingpost-asyncpg"
# neither is reached; of the smaller one parts are leased several times in a load
LIMITS = {"10 million an hour": (10_000_000, 3600), "150 000 a minute": (150_000, 60)}


def main() -> int:
    """Measures all sides and prints the comparison.

    Returns:
        The exit code: 0 compared, whatever the figures; 1 a side could not be measured.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ratelimit", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each side is measured")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        done = run(peers(), Plan(rounds=given.rounds, seconds=2, warmup=1))
    except KeyboardInterrupt:
        return 130
    if len(done.results) < 1 + len(LIMITS):
        say("all sides are needed; see above")
        return 1
    print(comparison(done.results))
    return 0


def peers() -> list[Peer]:
    """The service without a limit, and with each of the limits."""
    [bare] = chosen(all_peers(), BARE)
    limited = [
        replace(
            bare,
            name=f"kingpost-limited-{limit}",
            title=title,
            environment={"APP_RATE_LIMIT": str(limit), "APP_RATE_WINDOW": str(window)},
        )
        for title, (limit, window) in LIMITS.items()
    ]
    return [replace(bare, title="no limit"), *limited]


def comparison(results: Sequence[Result]) -> str:
    """CPU per request of each side, and beside that of the first one."""
    bare = results[0]
    head = ["server CPU per request, µs", *REQUESTS.values()]
    return table(head, [[one.peer.title, *_cells(one, bare)] for one in results])


def _cells(one: Result, bare: Result) -> list[str]:
    cells = []
    for kind in REQUESTS:
        ours, theirs = one.cells[kind], bare.cells[kind]
        more = "" if one is bare else f" ({_more(ours.rounds, theirs.rounds):+.1f} %)"
        cells.append(number(ours.figures.cpu) + more)
    return cells


def _more(ours: Sequence[Figures], theirs: Sequence[Figures]) -> float:
    """How much dearer, in per cent: the median of the rounds, which were measured in turn."""
    pairs = zip(ours, theirs, strict=True)
    return (median(one.cpu / other.cpu for one, other in pairs) - 1) * 100


if __name__ == "__main__":
    sys.exit(main())
