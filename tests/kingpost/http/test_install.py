"""What `install` adds to an app beside its routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import MetaData, text
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.kingpost.http.installing import installed

from kingpost.database import Database, DatabaseOptions
from kingpost.middleware import Observe
from kingpost.testing.lifespan import running


@pytest.fixture
def database(empty_database_url: str) -> Database:
    return Database(DatabaseOptions(url=empty_database_url), metadata=MetaData())


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


async def test_nothing_is_around_observe_but_what_was_put_there(database: Database) -> None:
    class Broken:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
            raise ZeroDivisionError

    app = installed(FastAPI(), database)
    outermost = app.build_middleware_stack()
    app.add_middleware(Broken)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/problems")
    await database.close()

    assert isinstance(outermost, Observe)
    assert answer.text == "Internal Server Error", "FastAPI answers what is outside of Observe"
