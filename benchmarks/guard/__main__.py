"""`python -m benchmarks.guard`: compares what a request costs now with what is committed."""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks.lab import machine
from benchmarks.lab.tables import table
from benchmarks.service.contenders import all_peers, chosen
from benchmarks.service.measuring import REQUESTS, Figures, Plan
from benchmarks.service.reporting import Result
from benchmarks.service.running import run, say

COMMITTED = Path(__file__).with_name("ratios.json")
OURS, BAR = "kingpost-asyncpg", "starlette-pool"
WHAT = f"CPU per request, {OURS} ÷ {BAR}"
ALLOWED = 1.5

Ratios = dict[str, float]


def main() -> int:
    """Measures both sides and prints the comparison.

    Returns:
        The exit code: 0 compared, whatever the figures; 1 a side could not be measured.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description=__doc__)
    parser.add_argument("--write", action="store_true", help="commit to the ratios of this run")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        done = run(chosen(all_peers(), f"{OURS},{BAR}"), Plan(rounds=3, seconds=1, warmup=1))
    except KeyboardInterrupt:
        return 130
    sides = {result.peer.name: result for result in done.results}
    if len(sides) < 2:
        say("guard: both sides are needed; see above")
        return 1
    now = ratios(sides[OURS], sides[BAR])
    committed = read()
    print(comparison(committed, now))
    for warning in warnings(committed, now):
        print(f"WARNING: {warning}")
    if given.write:
        write(now)
    return 0


def ratios(ours: Result, bar: Result) -> Ratios:
    """CPU per request of ours ÷ that of the bar: the median of the rounds' ratios.

    The two sides of a round were measured one after the other, so that what the machine was busy
    with cancels out better than between medians.
    """
    return {kind: _ratio(ours.cells[kind].rounds, bar.cells[kind].rounds) for kind in REQUESTS}


def _ratio(ours: Sequence[Figures], bar: Sequence[Figures]) -> float:
    pairs = zip(ours, bar, strict=True)
    return round(median(one.cpu / other.cpu for one, other in pairs), 2)


def comparison(committed: Ratios, now: Ratios) -> str:
    """A table of what was committed and what is."""
    rows = []
    for kind, title in REQUESTS.items():
        before, after = committed.get(kind), now[kind]
        rows.append([title, _shown(before), _shown(after), _change(before, after)])
    return table([WHAT, "committed", "now", "change"], rows)


def _shown(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def _change(before: float | None, now: float) -> str:
    return "new" if before is None else f"{(now / before - 1) * 100:+.0f} %"


def warnings(committed: Ratios, now: Ratios) -> list[str]:
    """What has become so much dearer that somebody should look."""
    return [
        f"{title} costs {_change(committed[kind], now[kind])} beside {BAR}; "
        "look for the reason, or renew the ratios with `make guard ARGS=--write`"
        for kind, title in REQUESTS.items()
        if kind in committed and now[kind] > committed[kind] * ALLOWED
    ]


def read(file: Path = COMMITTED) -> Ratios:
    """The committed ratios; none when there is no file yet, or if they are of other peers."""
    told = json.loads(file.read_text()) if file.exists() else {}
    ratios: Ratios = told["ratios"] if told.get("what") == WHAT else {}
    return ratios


def write(now: Ratios, file: Path = COMMITTED) -> None:
    """Commits to these ratios."""
    told = {
        "what": WHAT,
        "ratios": now,
        "date": datetime.now(UTC).date().isoformat(),
        "revision": machine.revision(),
        "machine": machine.description(),
    }
    file.write_text(json.dumps(told, indent=1) + "\n")
    say(f"written: {file.relative_to(machine.ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
