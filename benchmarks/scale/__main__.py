"""`python -m benchmarks.scale`: what requests cost as the data grows, and at many connections."""

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
from benchmarks.lab.servers import ServerFailed
from benchmarks.lab.tables import put_between
from benchmarks.lab.wrk import LoadFailed
from benchmarks.scale import reporting
from benchmarks.scale.measuring import Plan, WrongAnswer
from benchmarks.scale.reporting import Results
from benchmarks.scale.running import PARTS, SMALL, Question, run
from benchmarks.service.contenders import PeerError
from benchmarks.service.running import say
from kingpost.embedded import EmbeddedError

HERE = Path(__file__).parent
ELSEWHERE = machine.ROOT / ".servers" / "benchmarks"


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--only", metavar="PARTS", help=f"some of {','.join(PARTS)}")
    parser.add_argument("--posts", type=int, default=2_000_000, help="of the large one (2000000)")
    parser.add_argument("--seconds", type=int, default=3, help="of each timed load (3)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each request (3)")
    parser.add_argument("--connections", type=int, default=256, help="when there are many (256)")
    parser.add_argument("--write", action="store_true", help="renew the committed results")
    parsed = parser.parse_args(given)
    parsed.parts = parsed.only.split(",") if parsed.only else list(PARTS)
    if unknown := set(parsed.parts).difference(PARTS):
        parser.error(f"--only: {', '.join(sorted(unknown))} is none of {', '.join(PARTS)}")
    if parsed.posts <= SMALL:
        parser.error(f"--posts: has to be more than the {SMALL} it is compared with")
    return parsed


def main() -> int:
    """Measures, prints the tables, and keeps the results.

    Returns:
        The exit code: 0 done, 1 there were errors, 2 it could not be run.
    """
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan = Plan(given.rounds, given.seconds, warmup=2, connections=32, load_core=0)
    try:
        results, version = run(Question(given.parts, given.posts, given.connections, plan))
    except (
        PeerError,
        ServerFailed,
        DatabaseFailed,
        LoadFailed,
        WrongAnswer,
        EmbeddedError,
    ) as error:
        say(f"benchmark: {error}")
        return 2
    except KeyboardInterrupt:
        say("\nended before its time; everything started is stopped")
        return 130
    _report(results, plan, version, write=given.write)
    return int(results.errors > 0)


def _report(results: Results, plan: Plan, version: str, *, write: bool) -> None:
    context = _context(version)
    shown = f"{reporting.tables(results)}\n\n{_note(context, plan)}"
    print(shown)
    file = (HERE / "results.json") if write else (ELSEWHERE / "scale.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    told = reporting.as_json(results, context)
    file.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    say(f"\nResults: {file.relative_to(machine.ROOT)}")
    if write:
        put_between(HERE / "README.md", "scale", shown)


def _context(version: str) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", "benchmarks.scale", *sys.argv[1:]]),
        "revision": machine.revision(),
        "machine": machine.description(),
        "postgres": version,
    }


def _note(context: Mapping[str, Any], plan: Plan) -> str:
    told = context["machine"]
    return (
        f"`kingpost serve` with asyncpg, one process on one core of {told['processor']}, "
        f"{plan.connections} connections where nothing else is said, PostgreSQL "
        f"{context['postgres']} and wrk on another core; median of {plan.rounds} × "
        f"{plan.seconds} s, {context['date'][:10]}. "
        f"Command: `{context['command']}`, revision {context['revision']}."
    )


if __name__ == "__main__":
    sys.exit(main())
