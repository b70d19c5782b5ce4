"""`python -m benchmarks.service`: the command behind `make bench`."""

import argparse
import json
import shlex
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.lab import machine
from benchmarks.lab.postgres import DatabaseFailed
from benchmarks.lab.tables import put_between
from benchmarks.lab.wrk import LoadFailed
from benchmarks.service import reporting
from benchmarks.service.contenders import PeerError, all_peers, chosen
from benchmarks.service.installing import InstallFailed
from benchmarks.service.measuring import Plan
from benchmarks.service.running import Run, run, say
from kingpost.embedded import EmbeddedError

HERE = Path(__file__).parent
RESULTS = machine.ROOT / ".servers" / "benchmarks"


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    parser.add_argument("--only", metavar="NAMES", help="some peers: kingpost,starlette")
    parser.add_argument("--seconds", type=int, default=4, help="of each timed load (4)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each peer (3)")
    parser.add_argument("--warmup", type=int, default=2, help="seconds of load before it (2)")
    parser.add_argument("--connections", type=int, default=32, help="kept open and busy (32)")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="keep what the peers write")
    parser.add_argument("--list", action="store_true", help="name the peers and end")
    parser.add_argument(
        "--write", action="store_true", help="renew the committed results, plot and tables"
    )
    return parser.parse_args(given)


def main() -> int:
    """Measures, prints the table, and keeps the results.

    Returns:
        The exit code: 0 done, 1 a peer was not timed or had errors, 2 it could not be run.
    """
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        peers = chosen(all_peers(), given.only)
        if given.list:
            print(*(f"{peer.name:20} {peer.title}" for peer in peers), sep="\n")
            return 0
        plan = Plan(given.rounds, given.seconds, given.warmup, given.connections)
        if given.logs:
            given.logs.mkdir(parents=True, exist_ok=True)
        done = run(peers, plan, given.logs and given.logs.resolve())
    except (PeerError, InstallFailed, DatabaseFailed, LoadFailed, EmbeddedError) as error:
        say(f"benchmark: {error}")
        return 2
    except KeyboardInterrupt:
        say("\nended before its time; everything started is stopped")
        return 130
    return _report(done, plan, write=given.write)


def _report(done: Run, plan: Plan, *, write: bool) -> int:
    if not done.results:
        say("benchmark: no peer could be timed")
        return 2
    context = _context(done)
    told = reporting.as_json(done.results, plan=plan, context=context, left_out=done.left_out)
    drawn = reporting.plot(done.results, _note(plan, context))
    errors = any(result.errors for result in done.results)
    if write and (done.failed or errors):
        say("NOT WRITTEN into the repository, since a peer was not timed or answered with errors")
    write = write and not (done.failed or errors)
    folder = HERE if write else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    (folder / "results.svg").write_text(drawn)
    print(reporting.summary(done.results), reporting.details(done.results), sep="\n\n")
    for name, reason in done.left_out.items():
        print(f"\nLeft out: {name}: {reason}")
    say(f"\nResults and plot: {folder.relative_to(machine.ROOT)}/results.json, results.svg")
    if write:
        _put_into_documents(done, plan, context)
    return int(done.failed or errors)


def _put_into_documents(done: Run, plan: Plan, context: Mapping[str, Any]) -> None:
    note = _note(plan, context)
    summary = f"{reporting.summary(done.results)}\n\n{note} "
    summary += f"Command: `{context['command']}`, revision {context['revision']}."
    summary += "".join(f"\nLeft out: {name}, {why}." for name, why in done.left_out.items())
    image = "![Server CPU per request, as bars]"
    put_between(
        machine.ROOT / "README.md", "bench", f"{image}(benchmarks/service/results.svg)\n\n{summary}"
    )
    parts = (f"{image}(results.svg)", summary, reporting.details(done.results))
    put_between(HERE / "README.md", "bench", "\n\n".join(parts))


def _context(done: Run) -> dict[str, Any]:
    given = f' ARGS="{shlex.join(sys.argv[1:])}"' if sys.argv[1:] else ""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"make bench{given}",
        "revision": machine.revision(),
        "machine": machine.description(),
        "postgres": done.postgres_version,
    }


def _note(plan: Plan, context: Mapping[str, Any]) -> str:
    told = context["machine"]
    return (
        f"One process on one core of {told['processor']}, {plan.connections} connections, "
        f"PostgreSQL {context['postgres']} on another core; "
        f"median of {plan.rounds} × {plan.seconds} s, {context['date'][:10]}."
    )


if __name__ == "__main__":
    sys.exit(main())
