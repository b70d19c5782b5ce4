"""The whole drama: traffic, three deploys that change the schema, and who stands in their way."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from benchmarks.migrations import clock as clocks
from benchmarks.migrations.balancer import Balancer
from benchmarks.migrations.clock import Clock
from benchmarks.migrations.reader import Reader, long_reader
from benchmarks.migrations.runner import Run, run
from benchmarks.migrations.traffic import Request, Traffic
from benchmarks.migrations.versions import LAST, Way, write_versions
from benchmarks.migrations.waits import Waits, watching_locks
from kingpost.migrations import revisions
from kingpost.testing.process import launch

_SCOPES = ("users:read", "users:write", "posts:read", "posts:write")
_TRIES = 3
WARM_UP = "warm up"
Say = Callable[[str], None]


class DramaFailed(RuntimeError):
    """It could not be performed to its end; the message says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How it is performed.

    Attributes:
        rate: requests in a second.
        warm_up: seconds of traffic that nobody looks at, in the beginning; or more, until there
            are answers as fast as requests.
        quiet: seconds before the first deploy, between two, and after the last.
        reader: seconds that a long reader is in the way, in each deploy.
        gives_way: how often the migration has to give way to it, before it ends.
        lock_timeout: seconds that a migration may wait for a lock.
        deploys: how many of the three.
        settings: of the service, on top of those of production.
    """

    rate: float = 200.0
    warm_up: float = 2.0
    quiet: float = 3.0
    reader: float = 4.0
    gives_way: int = 0
    lock_timeout: float = 0.5
    deploys: int = LAST - 1
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Phase:
    """A piece of the time.

    Attributes:
        name: such as `migrate 2`.
        began: seconds of the clock.
        ended: the same.
    """

    name: str
    began: float
    ended: float


@dataclass
class Performance:
    """What happened.

    Attributes:
        way: how the schema was changed.
        requests: all that were made.
        phases: one after the other.
        runs: of the migration commands, by deploy; two that start at the same time, or more when
            the schema was not where it had to be after them.
        readers: the long readers, one a deploy.
        waits: of the service's connections for locks.
        lost: writes that had been acknowledged.
        failures: answers of what failed, with their number.
    """

    way: Way
    requests: list[Request] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    runs: dict[int, list[Run]] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)
    waits: Waits = field(default_factory=Waits)
    lost: list[str] = field(default_factory=list)
    failures: Mapping[str, int] = field(default_factory=dict)


async def perform(
    way: Way, url: str, folder: Path, *, plan: Plan, say: Say = lambda _: None
) -> Performance:
    """Performs it once.

    Args:
        way: how the schema is changed.
        url: of a database with the tables and rows of the service.
        folder: an empty one, for the versions and their logs.
        plan: how.
        say: told what begins.

    Returns:
        What happened.

    Raises:
        DramaFailed: an instance did not end well, or the schema did not get where it had to.
    """
    try:
        return await _Stage(way, url, folder, plan, say).play()
    except ExceptionGroup as several:  # of the deploys and the traffic, which run beside
        raise several.exceptions[0] from several


class _Stage:
    """One performance while it goes on."""

    def __init__(self, way: Way, url: str, folder: Path, plan: Plan, say: Say) -> None:
        self.seen = Performance(way)
        self.way, self.url, self.folder, self.plan, self.say = way, url, folder, plan, say
        self.versions = write_versions(folder, way)
        self.clock: Clock = clocks.started()
        self.balancer = Balancer()
        self.engine = create_async_engine(url, poolclass=NullPool)

    async def play(self) -> Performance:
        self.say("making a key")
        key = await self._key()
        async with self.engine.connect() as connection:
            ids = await connection.scalars(text("SELECT id::text FROM users LIMIT 5000"))
            users = list(ids)
        async with watching_locks(self.url) as self.seen.waits, AsyncExitStack() as first:
            await first.enter_async_context(self._instance(1))
            self.clock = clocks.started()
            traffic = Traffic(
                self.balancer, key=key, users=users, rate=self.plan.rate, clock=self.clock
            )
            await self._deploy_all(first, traffic)
        async with self.engine.connect() as connection:
            self.seen.lost = await traffic.lost(connection)
        self.seen.requests, self.seen.failures = traffic.requests, traffic.failures
        await self.engine.dispose()
        return self.seen

    async def _deploy_all(self, first: AsyncExitStack, traffic: Traffic) -> None:
        end = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(traffic.run(end))
            try:
                async with self._phase(WARM_UP):
                    await asyncio.sleep(self.plan.warm_up)
                    await traffic.settled()
                await self._quiet("before")
                running = first.pop_all()
                for number in range(2, self.plan.deploys + 2):
                    await self._migrate(number)
                    running = await self._roll_out(number, running)
                    await self._quiet(f"after {number - 1}")
            finally:
                end.set()
        await running.aclose()

    @asynccontextmanager
    async def _phase(self, name: str) -> AsyncIterator[None]:
        self.say(f"{self.way.title}: {name}")
        began = self.clock()
        try:
            yield
        finally:
            self.seen.phases.append(Phase(name, began, self.clock()))

    async def _quiet(self, name: str) -> None:
        async with self._phase(name):
            await asyncio.sleep(self.plan.quiet)

    async def _migrate(self, number: int) -> None:
        """Two runners start at the same time, while a long reader is in the way."""
        runs: list[Run] = []
        self.seen.runs[number - 1] = runs

        def enough(seconds: float) -> bool:
            gave_way = sum(run.gave_way for run in runs)
            return seconds >= self.plan.reader and gave_way >= self.plan.gives_way

        async with (
            self._phase(f"migrate {number - 1}"),
            long_reader(self.url, self.clock, enough) as reader,
        ):
            self.seen.readers.append(reader)
            await asyncio.gather(self._upgrade(number, runs), self._upgrade(number, runs))
            while not await self._is_at(number):
                if len(runs) > _TRIES:
                    raise DramaFailed(f"{self.way.title} did not arrive:\n{runs[-1].text}")
                await self._upgrade(number, runs)

    async def _upgrade(self, number: int, runs: list[Run]) -> None:
        command = [*self.way.command, *(self.way.contract if number == LAST else ())]
        await run(command, self.versions[number - 1], self._environ(), self.clock, runs=runs)

    async def _is_at(self, number: int) -> bool:
        migrations = self.versions[number - 1] / "src/app/migrations"
        return await revisions.current(self.engine) == revisions.heads(migrations)

    async def _roll_out(self, number: int, old: AsyncExitStack) -> AsyncExitStack:
        """Starts the new version, then ends the old one; gives what ends the new one."""
        async with self._phase(f"roll out {number - 1}"), AsyncExitStack() as new:
            await new.enter_async_context(self._instance(number))
            await old.aclose()
            return new.pop_all()

    @asynccontextmanager
    async def _instance(self, number: int) -> AsyncIterator[None]:
        process = launch(
            self.versions[number - 1],
            environ=self._settings(),
            prefix="APP_",
            database_url=self.url,
            log=self.folder / f"v{number}.log",
        )
        try:
            await asyncio.to_thread(process.wait_until_ready)
            async with self.balancer.knowing(process):
                yield
            code = await asyncio.to_thread(process.stop)
        finally:
            await asyncio.to_thread(process.close)
        if code != 0:
            raise DramaFailed(f"version {number} ended with exit code {code}: {process.log}")

    def _settings(self) -> dict[str, str]:
        return {
            "APP_ENVIRONMENT": "production",
            "APP_SECRET": "on-a-stage-nothing-is-secret-" * 2,
            "APP_LOG_LEVEL": "warning",
            "APP_DRAIN_SECONDS": "0",  # the balancer has forgotten it before
            **self.plan.settings,
        }

    def _environ(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name[:4] != "APP_"}
        return {**inherited, **self._settings(), "APP_DATABASE_URL": self.url}

    async def _key(self) -> str:
        scopes = [part for scope in _SCOPES for part in ("--scope", scope)]
        command = ["kingpost", "keys", "create", "clients", *scopes]
        made = await run(command, self.versions[0], self._environ(), self.clock)
        found = re.search(r"^key\s+(\S+)$", made.text, re.MULTILINE)
        if found is None:
            raise DramaFailed(f"kingpost keys create: {made.text}")
        return found[1]
