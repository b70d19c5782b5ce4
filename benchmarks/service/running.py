"""The whole run: PostgreSQL, all contenders, validation, measuring."""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.lab import machine, postgres
from benchmarks.lab.postgres import Postgres
from benchmarks.lab.progress import Progress
from benchmarks.lab.servers import ServerFailed
from benchmarks.service import contenders
from benchmarks.service.contenders import Contender, Peer, PeerError
from benchmarks.service.installing import startable, versions
from benchmarks.service.measuring import Plan, measure
from benchmarks.service.reporting import Result
from benchmarks.service.validation import Differs, validate

USERS, POSTS = 1_000, 20_000


@dataclass(frozen=True, slots=True)
class Run:
    """What came out.

    Attributes:
        results: of the peers that were timed.
        left_out: the reason for each of the others, by name.
        failed: whether one of them was left out for an answer that differs or because it failed.
        postgres_version: such as 18.1.
    """

    results: Sequence[Result]
    left_out: Mapping[str, str]
    failed: bool
    postgres_version: str


def run(peers: Sequence[Peer], plan: Plan, logs: Path | None = None) -> Run:
    """Measures the peers side by side.

    Args:
        peers: who takes part.
        plan: how is measured; its core for the load is chosen here.
        logs: folder for what the peers write; by default it is thrown away.

    Returns:
        The results, and who is not among them.
    """
    able, left_out = startable(peers)
    load_core, server_core = machine.cores()
    plan = replace(plan, load_core=load_core)
    with ExitStack() as stack:
        say("Starting PostgreSQL and filling it ...")
        database = stack.enter_context(filled(load_core))
        thrown_away = stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-"))
        failures: dict[str, str] = {}
        running = []
        for peer in able:
            say(f"Starting {peer.name} ...")
            started = contenders.running(
                peer, database, core=server_core, logs=logs or Path(thrown_away)
            )
            try:
                running.append(stack.enter_context(started))
            except (ServerFailed, PeerError) as error:
                failures[peer.name] = str(error).splitlines()[-1]
                say(str(error))
        say("Comparing their answers ...")
        valid = _valid(running, database, failures)
        results = _timed(valid, database, plan)
        version = database.sql("SHOW server_version")[0][0]
    return Run(results, left_out | failures, bool(failures), version)


@contextmanager
def filled(core: int) -> Iterator[Postgres]:
    """PostgreSQL with the service's tables and the data of this benchmark."""
    with postgres.running(core) as database:
        database.migrate()
        database.seed(users=USERS, posts=POSTS)
        yield database


def _valid(
    running: Sequence[Contender], database: Postgres, failures: dict[str, str]
) -> list[Contender]:
    """Those who answer alike; the others are told about."""
    valid = []
    for one in running:
        try:
            validate(one, database)
        except (Differs, ValueError, KeyError, TypeError, OSError) as error:
            failures[one.peer.name] = f"{type(error).__name__}: {error}"
        else:
            valid.append(one)
    for name, reason in failures.items():
        say(f"NOT TIMED: {name}: {reason}")
    return valid


def _timed(valid: Sequence[Contender], database: Postgres, plan: Plan) -> list[Result]:
    if not valid:
        return []
    progress = Progress(plan.steps(len(valid)), plan.seconds + plan.warmup + 0.8)
    measured = measure(valid, database, plan, progress)
    return [
        Result(one.peer, versions(one.peer), measured[one.peer.name], one.server.memory())
        for one in valid
    ]


def say(text: str) -> None:
    """Tells a person what goes on; results go to standard output."""
    print(text, file=sys.stderr, flush=True)
