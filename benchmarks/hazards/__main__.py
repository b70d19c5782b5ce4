"""`python -m benchmarks.hazards`: what a rehearsal finds in changes, beside what squawk says."""

import argparse
import json
import shlex
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.kingpost.migrations.hazards.servers import NotInstalled

from benchmarks.hazards import reporting
from benchmarks.hazards.judging import Plan, Results, cases, judge
from benchmarks.hazards.squawk import SquawkFailed
from benchmarks.lab import machine
from benchmarks.lab.tables import put_between
from kingpost.embedded import EmbeddedError
from kingpost.migrations.rehearsal.rehearse import RehearsalError

HERE = Path(__file__).parent
ELSEWHERE = machine.ROOT / ".servers" / "benchmarks"


def arguments(given: list[str] | None = None) -> Plan:
    """Reads the command line; `--write` is read by `main`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hazards", description=__doc__)
    parser.add_argument("--majors", default="18,16", help="of PostgreSQL (18,16); 15 if installed")
    parser.add_argument("--rows", type=int, default=1000, help="in each table (1000)")
    parser.add_argument("--repetitions", type=int, default=1, help="of each rehearsal (1)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th change")
    parser.add_argument("--only", default="", metavar="TEXT", help="changes with it in their name")
    parser.add_argument("--write", action="store_true", help="renew the committed results")
    parsed = parser.parse_args(given)
    if not all(major.isdigit() for major in parsed.majors.split(",")):
        parser.error(f"--majors: {parsed.majors} is no list such as 18,16")
    for name in ("rows", "repetitions", "every"):
        if getattr(parsed, name) < 1:
            parser.error(f"--{name}: has to be 1 or more")
    majors = tuple(int(major) for major in parsed.majors.split(","))
    plan = Plan(majors, parsed.rows, parsed.repetitions, parsed.every, parsed.only)
    if not cases(plan):
        parser.error(f"--only: no change has {parsed.only!r} in its name")
    if parsed.write and plan != Plan(majors, plan.rows, plan.repetitions):
        parser.error("--write: only with all changes")
    return plan


def main() -> int:
    """Judges, prints the tables, and keeps the results.

    Returns:
        The exit code: 0 every verdict is the measured one, 1 some are not, 2 it could not be run.
    """
    plan = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with tempfile.TemporaryDirectory(prefix="kingpost-hazards-") as folder:
            results = judge(plan, Path(folder))
    except (SquawkFailed, NotInstalled, EmbeddedError, RehearsalError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nended before its time; everything started is stopped", file=sys.stderr)
        return 130
    _report(results, plan, write="--write" in sys.argv)
    return int(not all(one.exact for one in results.judged))


def _report(results: Results, plan: Plan, *, write: bool) -> None:
    context = _context(plan)
    shown = f"{reporting.tables(results, plan)}\n\n{_note(context, results)}"
    print(shown)
    file = (HERE / "results.json") if write else (ELSEWHERE / "hazards.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    told = reporting.as_json(results, context)
    file.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    print(f"\nResults: {file.relative_to(machine.ROOT)}", file=sys.stderr)
    if write:
        put_between(HERE / "README.md", "hazards", shown)


def _context(plan: Plan) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", "benchmarks.hazards", *sys.argv[1:]]),
        "revision": machine.revision(),
        "machine": machine.description(),
        "rows": plan.rows,
        "repetitions": plan.repetitions,
    }


def _note(context: dict[str, Any], results: Results) -> str:
    times = sum(len(one.verdicts) for one in results.judged)
    return (
        f"{times} rehearsals with {context['rows']} rows in each table, without the pass under "
        f"live traffic, {context['date'][:10]}. "
        f"Command: `{context['command']}`, revision {context['revision']}."
    )


if __name__ == "__main__":
    sys.exit(main())
