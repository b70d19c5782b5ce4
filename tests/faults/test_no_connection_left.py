"""Somebody else has taken every connection that PostgreSQL gives to ordinary roles."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from tests.faults.rig.journal import Operation, Run
from tests.faults.rig.scene import Scene, heal, loaded
from tests.faults.rig.server import MAX_CONNECTIONS, ROLE
from tests.kingpost.support import until

from kingpost.project import Project

SERVICE = f"SELECT FROM pg_stat_activity WHERE usename = '{ROLE}' AND datname = current_database()"


@asynccontextmanager
async def nothing_left(stage: Scene) -> AsyncIterator[None]:
    """Another application takes all connections, also those that the service had."""
    engine = create_async_engine(stage.postgres.url(stage.database, role=ROLE), poolclass=NullPool)
    async with AsyncExitStack() as taken:
        taken.push_async_callback(engine.dispose)
        await asyncio.to_thread(stage.proxy.freeze)
        await asyncio.to_thread(stage.proxy.cut)
        await until(lambda: asyncio.to_thread(lambda: not stage.sql(SERVICE)))
        with pytest.raises(DBAPIError) as full:
            await take(taken, engine)
        assert getattr(full.value.orig, "sqlstate", None) == "53300"
        await asyncio.to_thread(stage.proxy.thaw)
        yield


async def take(taken: AsyncExitStack, engine: AsyncEngine) -> None:
    for _ in range(MAX_CONNECTIONS):
        await taken.enter_async_context(engine.connect())


def refused(run: Run) -> list[Operation]:
    return [one for one in run.operations if "cannot be reached" in one.why]


def command_of_a_superuser(project: Project, stage: Scene) -> int:
    url = {"APP_DATABASE_URL": stage.postgres.url(stage.database)}
    return subprocess.run(
        [str(Path(sys.executable).with_name("kingpost")), "keys", "list"],
        cwd=project.root,
        env=os.environ | dict(stage.service.environ) | url,
        capture_output=True,
        check=False,
    ).returncode


async def test_no_connection_left_is_503_until_there_is_one(stage: Scene, project: Project) -> None:
    async with loaded(stage, recovery_seconds=2.0) as run:
        began = time.monotonic()
        async with nothing_left(stage):
            taken = time.monotonic()
            await until(lambda: len(refused(run)) > 20)
            # Of max_connections some are kept for superusers: superuser_reserved_connections.
            assert await asyncio.to_thread(command_of_a_superuser, project, stage) == 0
            released = time.monotonic()
        heal(run)
        run.outages.append((taken, released))
        run.doubtful += [(began, taken), (released, run.healed)]
    assert {(one.status, one.slug) for one in refused(run)} == {(503, "unavailable")}
    assert "remaining connection slots are reserved" in run.log
