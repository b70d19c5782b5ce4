"""The stage of a fault: a server, a database, the service as a process, and the load on it."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from tests.faults.rig.journal import FOUND, Found, Limits, Resources, Run, found
from tests.faults.rig.load import Client, watch_probes
from tests.faults.rig.network import NetworkProxy
from tests.faults.rig.server import PASSWORD, ROLE, PostgresServer
from tests.faults.rig.verifier import broken
from tests.kingpost.support import until

from kingpost.migrations import upgrade
from kingpost.project import Project
from kingpost.testing.process import ServerProcess, launch
from kingpost.testing.service import key_for

SECRET = "canary-secret-of-the-service-0123456789"
TEMPLATE = "faults_template"
PATIENCE = 3.0
SHORT = {
    "APP_ENVIRONMENT": "test",
    "APP_SECRET": SECRET,
    "APP_LOG_LEVEL": "info",
    "APP_REQUEST_TIMEOUT": "3",
    "APP_STATEMENT_TIMEOUT": "1.5",
    "APP_LOCK_TIMEOUT": "0.5",
    "APP_ACQUIRE_TIMEOUT": "0.45",
    "APP_CONNECT_TIMEOUT": "1",
    "APP_IDLE_TRANSACTION_TIMEOUT": "2",
    "APP_POOL_SIZE": "10",
    "APP_DIRECT_POOL_SIZE": "10",
}
"""Limits so short that a fault is over soon, and more connections than clients for /readyz."""


@dataclass
class Scene:
    """The service on its way to the database through a proxy.

    Attributes:
        postgres: the server of the module.
        database: the name of the service's database.
        proxy: between the service and the server.
        service: the process.
        start: makes another process, with further environment variables.
        judged: is told of each run that has ended.
        is_long: faults last, and the limits are strict; otherwise it may take `PATIENCE` times as
            long to be well again, since a machine that also runs other tests is slow.
    """

    postgres: PostgresServer
    database: str
    proxy: NetworkProxy
    service: ServerProcess
    start: Callable[[Mapping[str, str]], ServerProcess]
    judged: Callable[[Run], None] = lambda _: None
    is_long: bool = False

    async def lasts(self, seconds: float, long: float) -> None:
        """How long the fault lasts, in the short form and in the long one."""
        await asyncio.sleep(long if self.is_long else seconds)

    def sql(self, statement: str) -> list[object]:
        """Runs a statement in the service's database, past the proxy."""
        return list(self.postgres.sql(statement, self.database))


@contextmanager
def scene(
    project: Project,
    postgres: PostgresServer,
    driver: str,
    folder: Path,
    settings: Mapping[str, str],
    environ: Mapping[str, str],
) -> Iterator[Scene]:
    """A migrated database, a proxy, and `kingpost serve`, which must end with exit code 0.

    The service has an ordinary role, which may connect and use its tables.

    Args:
        project: what is served.
        postgres: the server, which runs.
        driver: of the service.
        folder: for what the processes write.
        settings: of the service, beside those of `SHORT`.
        environ: further environment variables of its process.
    """
    database = _database(project, postgres)
    settings = SHORT | settings
    key = key_for(project, settings, postgres.url(database, driver))
    numbers = itertools.count()
    with NetworkProxy(postgres.port).running() as proxy, ExitStack() as services:

        def start(more: Mapping[str, str]) -> ServerProcess:
            service = launch(
                project.root,
                environ=settings | more,
                prefix=project.env_prefix,
                database_url=postgres.url(database, driver, proxy.port, role=ROLE),
                log=folder / f"log-{next(numbers)}",
                key=key,
            )
            services.callback(service.close)
            return service

        try:
            yield Scene(postgres, database, proxy, start(environ).wait_until_ready(), start)
        finally:
            proxy.calm()


def _database(project: Project, postgres: PostgresServer) -> str:
    names = {row[0] for row in postgres.sql("SELECT datname FROM pg_database")}
    if TEMPLATE not in names:
        postgres.sql(f"CREATE DATABASE {TEMPLATE}")
        upgrade(project, postgres.url(TEMPLATE))
        postgres.sql(f"CREATE ROLE {ROLE} LOGIN")
        postgres.sql(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}", TEMPLATE)
    name = f"fault_{len(names)}"
    postgres.sql(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    return name


@asynccontextmanager
async def loaded(
    stage: Scene, *, clients: int = 8, fresh: int = 40, **limits: float
) -> AsyncIterator[Run]:
    """Load inside the block, which makes the fault and calls `heal`; then all is judged.

    Args:
        stage: where.
        clients: how many, each with one request at a time.
        fresh: so many requests must succeed after the fault.
        **limits: other ones than usual.

    Yields:
        What is written down.

    Raises:
        AssertionError: an invariant is broken; the message names the operations.
    """
    run = Run(Limits(**{"answer_seconds": 4.0, "hang_seconds": 8.0} | limits))  # type: ignore[arg-type]  # names of Limits
    if not stage.is_long:
        run.limits.recovery_seconds *= PATIENCE
        run.limits.ready_again_seconds *= PATIENCE
    end = asyncio.Event()
    async with _http(stage) as http, _http(stage) as probing, asyncio.TaskGroup() as group:
        workers = [Client(n, http, run) for n in range(clients)]
        for one in workers:
            group.create_task(one.work(end))
        group.create_task(watch_probes(probing, run, end))
        try:
            await until(lambda: sum(one.outcome == "ok" for one in run.operations) > 60)
            run.before = resources(stage)
            yield run
            await until(lambda: _fresh(run) > fresh)
            await until(lambda: _ready_or_late(run))
        finally:
            end.set()
    await _finish(stage, run)
    stage.judged(run)
    assert not (wrong := broken(run)), "\n".join(f"{k}: {line}" for k in wrong for line in wrong[k])


def _http(stage: Scene) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=stage.service.url, headers=stage.service.headers, trust_env=False, timeout=20.0
    )


def _fresh(run: Run) -> int:
    return sum(one.outcome == "ok" for one in run.operations if one.invoked >= run.healed)


def _ready_or_late(run: Run) -> bool:
    """Ready again, or so late that the verifier has seen that it was not."""
    ready = [one for one in run.probes if one.path == "/readyz" and one.at >= run.healed]
    late = run.healed + run.limits.ready_again_seconds
    return any(one.status == 200 for one in ready) or any(one.at > late for one in ready)


def heal(run: Run) -> None:
    """Says that the fault is over now."""
    run.healed = time.monotonic()


async def _finish(stage: Scene, run: Run) -> None:
    pools = "APP_POOL_SIZE", "APP_DIRECT_POOL_SIZE"
    run.limits.sessions = sum(int(stage.service.environ[name]) for name in pools) + 2
    with_rest = 10 * run.limits.answer_seconds
    await until(lambda: resources(stage).idle_in_transaction == 0, seconds=with_rest)
    run.after = resources(stage)
    run.found = await asyncio.to_thread(find, stage)
    run.log = stage.service.log.read_text(errors="replace")
    run.secrets = (SECRET, PASSWORD, (stage.service.key or "").rpartition("_")[2] or SECRET)


def resources(stage: Scene) -> Resources:
    """What the service holds now."""
    process = Path(f"/proc/{stage.service.process.pid}")
    status = process.joinpath("status").read_text()
    rss = int(status.partition("VmRSS:")[2].split()[0]) * 1024
    states = stage.sql(
        "SELECT coalesce(state, '') FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'app'"
    )
    idle = sum("idle in transaction" in str(state) for state in states)
    return Resources(rss, len(list(process.joinpath("fd").iterdir())), len(states), idle)


def find(stage: Scene) -> Found:
    """Reads the tables and the audit."""
    return found(*(stage.postgres.sql(query, stage.database) for query in FOUND))
