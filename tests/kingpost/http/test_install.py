"""What `install` adds to an app beside its routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI
from sqlalchemy import MetaData, text

from kingpost.database import Database, DatabaseOptions
from kingpost.http import Runtime, install
from kingpost.pagination import Cursors
from kingpost.security import NoAuthentication
from kingpost.server import State
from kingpost.testing.lifespan import running


@pytest.fixture
def database(empty_database_url: str) -> Database:
    return Database(DatabaseOptions(url=empty_database_url), metadata=MetaData())


def installed(app: FastAPI, database: Database) -> FastAPI:
    runtime = Runtime(
        database=database,
        authenticator=NoAuthentication(),
        cursors=Cursors(b"x" * 32),
        max_body_bytes=1024,
        state=State(),
    )
    install(app, runtime, request_timeout=5, docs=False, operations=True, development=True)
    return app


async def test_the_database_is_closed_after_the_lifespan_of_the_app(database: Database) -> None:
    answers = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        answers.append(await database.read(lambda session: session.scalar(text("SELECT 1"))))

    pool = database.engine.pool
    async with running(installed(FastAPI(lifespan=lifespan), database)):
        assert answers == []

    assert answers == [1]
    assert database.engine.pool is not pool, "a closed engine begins with another pool"


async def test_the_database_is_closed_when_the_app_fails_to_end(database: Database) -> None:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await database.ping()
        yield
        raise OSError("no space left")

    pool = database.engine.pool
    with pytest.raises(Exception, match="no space left"):
        async with running(installed(FastAPI(lifespan=lifespan), database)):
            pass

    assert database.engine.pool is not pool


async def test_a_service_may_have_no_keys(database: Database) -> None:
    app = installed(FastAPI(), database)

    assert app.state.kingpost.keys is None
    await database.close()
