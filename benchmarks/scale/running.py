"""The whole run: PostgreSQL, both sizes, the servers, and each part of the question."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.lab import machine, postgres
from benchmarks.lab.postgres import Postgres
from benchmarks.lab.progress import Progress
from benchmarks.scale import asides
from benchmarks.scale.filling import fill
from benchmarks.scale.measuring import Plan, Side, check, load, measure
from benchmarks.scale.places import cases
from benchmarks.scale.reporting import Results
from benchmarks.service import contenders
from benchmarks.service.contenders import all_peers, chosen
from benchmarks.service.measuring import REQUESTS, Figures, requests_for
from benchmarks.service.running import say
from kingpost.settings import ServiceSettings

PARTS = ("growth", "connections", "search", "delete")
SMALL = 20_000


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be found out.

    Attributes:
        parts: some of `PARTS`.
        posts: of the larger database.
        connections: kept open and busy in the part of this name, each load for ten seconds.
        plan: for the part `growth`.
    """

    parts: Sequence[str]
    posts: int
    connections: int
    plan: Plan


def run(question: Question) -> tuple[Results, str]:
    """Fills, measures, and throws everything away.

    Args:
        question: what is to be found out.

    Returns:
        The results, and the version of PostgreSQL.
    """
    load_core, server_core = machine.cores()
    plan = replace(question.plan, load_core=load_core)
    results = Results(connections_open=question.connections)
    with ExitStack() as stack:
        server = stack.enter_context(postgres.running(load_core))
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        large = stack.enter_context(side(server, question.posts, server_core, logs))
        if {"growth", "search"}.intersection(question.parts):
            small = stack.enter_context(side(server, SMALL, server_core, logs))
            _compare([small, large], question.parts, plan, results)
        if "connections" in question.parts:
            many = replace(plan, connections=question.connections, seconds=10)
            results.connections = many_connections(large, many)
        if "delete" in question.parts:
            say("Deleting the busiest user ...")
            limit = ServiceSettings.model_fields["statement_timeout"].default
            results.deletion = asides.delete_busiest(large, limit)
        return results, server.sql("SHOW server_version")[0][0]


def _compare(sides: Sequence[Side], parts: Sequence[str], plan: Plan, results: Results) -> None:
    for one in sides:
        check(one)
    if "growth" in parts:
        results.cells = measure(sides, plan)
    if "search" in parts:
        say("Searching ...")
        results.searches = {one.posts: asides.searches(one) for one in sides}


@contextmanager
def side(server: Postgres, posts: int, core: int, logs: Path) -> Iterator[Side]:
    """Fills a database of its own and starts the service on it."""
    database = replace(server, database=f"posts_{posts}")
    server.embedded.create_database(database.database)
    say(f"Filling a database with {posts:,} posts ...")
    database.migrate()
    fill(database, users=max(100, posts // 200), posts=posts)
    peer = replace(chosen(all_peers(), "kingpost-asyncpg")[0], name=database.database)
    with contenders.running(peer, database, core=core, logs=logs) as contender:
        yield Side(posts, contender, database, cases(database, posts=posts))


def many_connections(large: Side, plan: Plan) -> dict[str, Figures]:
    """Puts load on from many connections, for each kind of request of `make bench`."""
    users = [row[0] for row in large.postgres.sql("SELECT id FROM users LIMIT 2000")]
    prepared = requests_for(large.contender.peer.paths, users)
    progress = Progress(len(REQUESTS), plan.seconds + plan.warmup + 0.8)
    measured = {}
    for kind, title in REQUESTS.items():
        progress.next(f"{plan.connections} connections  {title}")
        measured[title] = load(large, prepared[kind], plan)
    progress.end()
    return measured
