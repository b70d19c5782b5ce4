"""`python -m benchmarks.migrations`: three deploys under traffic, in two ways."""

import argparse
import asyncio
import json
import shlex
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.lab import machine, postgres
from benchmarks.lab.postgres import DatabaseFailed, Postgres
from benchmarks.lab.tables import put_between
from benchmarks.migrations import reporting, timeline
from benchmarks.migrations.performance import DramaFailed, Performance, Plan, perform
from benchmarks.migrations.versions import ALEMBIC, KINGPOST, VersionFailed, Way
from kingpost.embedded import EmbeddedError
from kingpost.testing.process import ServerFailed

HERE = Path(__file__).parent
RESULTS = machine.ROOT / ".servers" / "benchmarks"
WAYS = {way.name: way for way in (KINGPOST, ALEMBIC)}
USERS = 5_000


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.migrations", description=__doc__)
    parser.add_argument("--posts", type=int, default=200_000, help="rows in the table (200000)")
    parser.add_argument("--rate", type=float, default=200, help="requests in a second (200)")
    parser.add_argument("--reader", type=float, default=4, help="seconds a reader is in the way")
    parser.add_argument("--driver", choices=("asyncpg", "psycopg"), default="asyncpg")
    parser.add_argument("--only", choices=sorted(WAYS), help="one of the two ways")
    parser.add_argument("--write", action="store_true", help="renew the committed results")
    return parser.parse_args(given)


def main() -> int:
    """Performs, prints the tables, and keeps the results.

    Returns:
        The exit code: 0 done, 1 our way has failed or slow requests, 2 it could not be run.
    """
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan = Plan(rate=given.rate, reader=given.reader)
    try:
        done, version = _perform_all(given, plan)
    except (
        DramaFailed, VersionFailed, ServerFailed, DatabaseFailed, EmbeddedError, TimeoutError,
    ) as error:  # fmt: skip
        say(f"benchmark: {error}")
        return 2
    except KeyboardInterrupt:
        say("\nended before its time; everything started is stopped")
        return 130
    return _report(done, plan, _context(given, version), write=given.write)


def _perform_all(given: argparse.Namespace, plan: Plan) -> tuple[list[Performance], str]:
    ways = [WAYS[given.only]] if given.only else list(WAYS.values())
    say(f"This takes about {len(ways)} to {len(ways) * 2} minutes.")
    done = []
    for way in ways:
        say(f"{way.title}: starting PostgreSQL and filling it with {given.posts} posts")
        with postgres.running(machine.cores()[0]) as database:
            database.migrate()
            database.seed(users=USERS, posts=given.posts)
            done.append(_perform(way, database, plan, given.driver))
            version = database.sql("SHOW server_version")[0][0]
    return done, version


def _perform(way: Way, database: Postgres, plan: Plan, driver: Any) -> Performance:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        performing = perform(way, database.url(driver), Path(folder), plan=plan, say=say)
        return asyncio.run(performing)


def _report(
    done: Sequence[Performance], plan: Plan, context: Mapping[str, Any], *, write: bool
) -> int:
    folder = HERE if write else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    told = reporting.as_json(done, context)
    note = _note(plan, context)
    drawn = timeline.plot(done, limit=reporting.limit(plan) / 1e3, note=note)
    name = "results" if write else "migrations"
    (folder / f"{name}.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    (folder / f"{name}.svg").write_text(drawn)
    summary, details = reporting.summary(done, plan), reporting.details(done)
    print(summary, details, sep="\n\n")
    say(f"\nResults and plot: {folder.relative_to(machine.ROOT)}/{name}.json, {name}.svg")
    if write:
        image = "![Each request over the time, as dots](results.svg)"
        command = f"{note} Command: `{context['command']}`, revision {context['revision']}."
        put_between(
            HERE / "README.md", "migrations", "\n\n".join((image, summary, command, details))
        )
    return int(any(_felt(one, plan) for one in done if one.way.ours))


def _felt(one: Performance, plan: Plan) -> bool:
    """Whether clients felt more than they may."""
    found = reporting.Latency.of(reporting.counted(one))
    return bool(found.failed or one.lost or found.longest > reporting.limit(plan))


def _context(given: argparse.Namespace, version: str) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", "benchmarks.migrations", *sys.argv[1:]]),
        "revision": machine.revision(),
        "machine": machine.description(),
        "postgres": version,
        "posts": given.posts,
        "driver": given.driver,
    }


def _note(plan: Plan, context: Mapping[str, Any]) -> str:
    return (
        f"{plan.rate:g} requests/s, {context['posts']:,} posts, PostgreSQL {context['postgres']}, "
        f"durable, {context['driver']}, two cores of {context['machine']['processor']}; in each "
        f"deploy a reader is in the way for {plan.reader:g} s (orange); {context['date'][:10]}."
    )


def say(text: str) -> None:
    """Tells a person what goes on; results go to standard output."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
