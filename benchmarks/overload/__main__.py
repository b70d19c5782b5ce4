"""`python -m benchmarks.overload`: several times more than a process can do, and the time after."""

import argparse
import json
import shlex
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.lab import machine
from benchmarks.lab.postgres import DatabaseFailed
from benchmarks.lab.progress import Progress
from benchmarks.lab.servers import ServerFailed
from benchmarks.lab.tables import put_between
from benchmarks.overload import plot, reporting
from benchmarks.overload.peak import Peak, highest, peaks
from benchmarks.overload.storms import NO_LIMIT, Plan, Storm, StormFailed, storm
from benchmarks.service.contenders import PeerError, all_peers, chosen
from benchmarks.service.running import filled, say
from kingpost.embedded import EmbeddedError
from kingpost.settings import ServiceSettings

HERE = Path(__file__).parent
ELSEWHERE = machine.ROOT / ".servers" / "benchmarks"
LIMIT = int(ServiceSettings().max_requests)


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=__doc__)
    parser.add_argument("--factors", default="1,2,5,10", help="of the peak (1,2,5,10)")
    parser.add_argument("--seconds", type=float, default=8, help="of a storm (8)")
    parser.add_argument("--rounds", type=int, default=3, help="of a storm; the median counts (3)")
    parser.add_argument("--connections", type=int, default=800, help="of all clients (800)")
    parser.add_argument("--timeout", type=float, default=2.0, help="of a client, seconds (2)")
    parser.add_argument("--limits", default=f"{LIMIT},0", help=f"0 for none ({LIMIT},0)")
    parser.add_argument("--retries", default="0,3", help="of a client; a run for each (0,3)")
    parser.add_argument("--driver", choices=("asyncpg", "psycopg"), default="asyncpg")
    parser.add_argument("--write", action="store_true", help="renew the committed results")
    return parser.parse_args(given)


def main() -> int:
    """Measures, prints the table, and keeps the results.

    Returns:
        The exit code: 0 done, 2 it could not be run.
    """
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan = _plan(given)
    try:
        storms, best, version = _run(given, plan)
    except (PeerError, ServerFailed, DatabaseFailed, StormFailed, EmbeddedError) as error:
        say(f"benchmark: {error}")
        return 2
    except KeyboardInterrupt:
        say("\nended before its time; everything started is stopped")
        return 130
    _report(storms, best, plan, _context(given, version), write=given.write)
    return 0


def _plan(given: argparse.Namespace) -> Plan:
    load_core, server_core = machine.cores()
    return Plan(
        factors=[float(factor) for factor in given.factors.split(",")],
        peak_seconds=4,
        before=3,
        storm=given.seconds,
        after=8,
        rounds=given.rounds,
        connections=given.connections,
        timeout=given.timeout,
        load_core=load_core,
        server_core=server_core,
    )


def _run(given: argparse.Namespace, plan: Plan) -> tuple[list[Storm], Peak, str]:
    [peer] = chosen(all_peers(), f"kingpost-{given.driver}")
    wanted = list(_wanted(given, plan))
    seconds = plan.before + plan.storm + plan.after + 4
    progress = Progress(len(wanted) * (1 + plan.rounds), seconds)
    found: list[list[Peak]] = []
    storms = []
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as logs,
        filled(plan.load_core) as database,
    ):
        for factor, limit, retries in wanted:
            progress.next("the peak")
            found.append(peaks(peer, database, plan, Path(logs)))
            rate = highest(found[:1]).per_second  # all storms are compared with one another
            seen = []
            for _ in range(plan.rounds):
                progress.next(f"{factor:g} × {rate:.0f}/s, limit {limit}, {retries} retries")
                one = storm(
                    peer, database, plan, Path(logs),
                    peak_rate=rate, factor=factor, limit=limit, retries=retries,
                )  # fmt: skip
                seen.append(one)
            storms.append(_middle(seen))
        version = database.sql("SHOW server_version")[0][0]
    progress.end()
    return storms, highest(found), version


def _middle(storms: list[Storm]) -> Storm:
    return sorted(storms, key=Storm.goodput)[(len(storms) - 1) // 2]


def _wanted(given: argparse.Namespace, plan: Plan) -> Iterator[tuple[float, int, int]]:
    """Clients that try again are only of interest in a storm."""
    for retries in map(int, given.retries.split(",")):
        for factor in plan.factors:
            for limit in map(int, given.limits.split(",")):
                if factor > 1 or not retries:
                    yield factor, limit or NO_LIMIT, retries


def _report(
    storms: list[Storm], best: Peak, plan: Plan, context: Mapping[str, Any], *, write: bool
) -> None:
    folder, name = (HERE, "results") if write else (ELSEWHERE, "overload")
    folder.mkdir(parents=True, exist_ok=True)
    told = reporting.as_json(storms, best, plan.after, context)
    note = _note(plan, best, context)
    (folder / f"{name}.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    (folder / f"{name}.svg").write_text(plot.chart(storms, best.per_second, note))
    shown = reporting.summary(storms, best, plan.after)
    command = f"{note} Command: `{context['command']}`, revision {context['revision']}."
    print(shown, command, sep="\n\n")
    say(f"\nResults and plot: {folder.relative_to(machine.ROOT)}/{name}.json, {name}.svg")
    if write:
        image = "![Requests done in a second, over the time](results.svg)"
        put_between(HERE / "README.md", "overload", "\n\n".join((image, shown, command)))


def _context(given: argparse.Namespace, version: str) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", "benchmarks.overload", *sys.argv[1:]]),
        "revision": machine.revision(),
        "machine": machine.description(),
        "postgres": version,
        "driver": given.driver,
    }


def _note(plan: Plan, best: Peak, context: Mapping[str, Any]) -> str:
    return (
        f"Peak {best.per_second:.0f} requests/s; {plan.connections} connections, clients give up "
        f"after {plan.timeout:g} s; PostgreSQL {context['postgres']}, {context['driver']}; the "
        f"service on one core of {context['machine']['processor']}, PostgreSQL and the clients on "
        f"another; {context['date'][:10]}."
    )


if __name__ == "__main__":
    sys.exit(main())
