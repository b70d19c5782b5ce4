"""`python -m benchmarks.ratelimit`: the service without and with a rate limit, in one process.

The effect is smaller than what two servers differ by on a busy machine. So both services run
here, on the same database, are called as a server calls them, and take turns every few dozen
requests; the difference is the median of those between neighbours.
"""

import argparse
import asyncio
import random
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import uvloop

from benchmarks.lab import machine, postgres
from benchmarks.lab.tables import table
from kingpost.project import Project
from kingpost.testing.lifespan import running
from kingpost.testing.service import make_key, settings_for

AT_ONCE = 8
TURN = 64
SECRET = "a secret for benchmarks, of 32 characters and more"
PATHS = {"GET one user": "/api/v1/users/{id}", "GET 20 posts + authors": "/api/v1/posts?limit=20"}
# Large enough not to be reached; the second one leases anew after each thousand requests.
LIMITS: dict[str, dict[str, str]] = {
    "no limit": {},
    "no limit, a second service": {},
    "one lease": {"APP_RATE_LIMIT": "1000000000", "APP_RATE_WINDOW": "86400"},
    "a lease every 1000 requests": {"APP_RATE_LIMIT": "10000", "APP_RATE_WINDOW": "1"},
    "refused": {"APP_RATE_LIMIT": "1", "APP_RATE_WINDOW": "86400"},
}


@dataclass
class Side:
    """One service.

    Attributes:
        title: how the table names it.
        app: the ASGI application.
        headers: sent with each request.
        taken: CPU time per request of each turn, in microseconds, by path.
        statuses: all that were answered.
    """

    title: str
    app: Any
    headers: list[tuple[bytes, bytes]]
    taken: dict[str, list[float]] = field(default_factory=dict)
    statuses: set[int] = field(default_factory=set)

    async def turn(self, path: str) -> None:
        """Sends the requests of a turn, some of them at once, and notes what they took."""
        began = time.process_time()
        for _ in range(TURN // AT_ONCE):
            await asyncio.gather(*(self.ask(path) for _ in range(AT_ONCE)))
        taken = (time.process_time() - began) / TURN * 1e6
        self.taken.setdefault(path, []).append(taken)

    async def ask(self, path: str) -> None:
        """Sends one request; the answer is dropped."""
        await self.app(self._scope(path), _nothing, self._note)

    async def _note(self, message: Any) -> None:
        if "status" in message:
            self.statuses.add(message["status"])

    def _scope(self, path: str) -> dict[str, Any]:
        target, _, query = path.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 50000),
            "scheme": "http",
            "root_path": "",
            "method": "GET",
            "path": target,
            "raw_path": target.encode(),
            "query_string": query.encode(),
            "headers": self.headers,
            "state": {},
        }


async def _nothing() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def measure(database: postgres.Postgres, turns: int) -> list[Side]:
    """Lets all sides take turns.

    Args:
        database: migrated and filled.
        turns: how many each side has for each path.
    """
    project = Project.find(machine.ROOT)
    chance = random.Random(1)
    [[user]] = database.sql("SELECT id FROM users LIMIT 1")
    async with AsyncExitStack() as stack:
        sides = [
            await _started(stack, project, title, limit, database.url("asyncpg"))
            for title, limit in LIMITS.items()
        ]
        for path in (path.replace("{id}", user) for path in PATHS.values()):
            for side in sides:
                await side.turn(path)  # opens connections, compiles statements
                side.taken[path].clear()
            for _ in range(turns):
                # in any order: who comes after whom decides what is in the caches of the core
                for side in chance.sample(sides, len(sides)):
                    await side.turn(path)
    return sides


async def _started(
    stack: AsyncExitStack, project: Project, title: str, limit: dict[str, str], url: str
) -> Side:
    fixed = {"APP_ENVIRONMENT": "production", "APP_SECRET": SECRET, "APP_LOG_LEVEL": "error"}
    app = project.create_app(settings_for(project, fixed | limit, url))
    await stack.enter_async_context(running(app))
    key = await make_key(app)
    return Side(title, app, [(b"host", b"test"), (b"authorization", f"Bearer {key}".encode())])


def comparison(sides: list[Side]) -> str:
    """CPU of this process per request of each side, and beside that of the first one."""
    rows = []
    for side in sides:
        pairs = list(zip(side.taken.values(), sides[0].taken.values(), strict=True))
        rows.append([side.title, *(_cell(ours, bare) for ours, bare in pairs)])
    return table(["CPU per request, µs", *PATHS], rows)


def _cell(ours: list[float], bare: list[float]) -> str:
    shown = f"{median(ours):.0f}"
    if ours is bare:
        return shown
    more = median(one - other for one, other in zip(ours, bare, strict=True))
    return f"{shown} ({more:+.1f}, {more / median(bare):+.1%})"


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ratelimit", description=__doc__)
    parser.add_argument("--turns", type=int, default=400, help="of each service")
    given = parser.parse_args()
    core, _ = machine.cores()
    with postgres.running(core) as database:
        database.migrate()
        database.seed(users=1_000, posts=20_000)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            sides = runner.run(measure(database, given.turns))
    for side in sides:
        print(side.title, "answered", sorted(side.statuses))
    print(comparison(sides))


if __name__ == "__main__":
    main()
