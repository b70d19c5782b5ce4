"""What goes on after the answer has begun cannot use the session of the request."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI
from sqlalchemy import text
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import StreamingResponse
from tests.kingpost.support import Open

from kingpost.database import Database

Sessions = list[AsyncSession]


async def kept_by_a_write(library: Database) -> AsyncSession:
    async def use(tx: object) -> AsyncSession:
        session: AsyncSession = tx.session  # type: ignore[attr-defined] # a Transaction
        await session.execute(text("SELECT 1"))
        return session

    return await library.unit_of_work().run(use)


async def kept_by_a_read(library: Database) -> AsyncSession:
    async def use(session: AsyncSession) -> AsyncSession:
        await session.execute(text("SELECT 1"))
        return session

    return await library.read(use)


def service(library: Database, keep: Callable[[Database], Awaitable[AsyncSession]]) -> FastAPI:
    app = FastAPI()

    @app.get("/streaming")
    async def streaming() -> StreamingResponse:
        session = await keep(library)

        async def content() -> AsyncIterator[str]:
            yield "begun"
            yield str(await session.scalar(text("SELECT 1")))

        return StreamingResponse(content())

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> str:
        tasks.add_task((await keep(library)).execute, text("SELECT 1"))
        return "begun"

    return app


@pytest.mark.parametrize("path", ["/streaming", "/background"])
@pytest.mark.parametrize("keep", [kept_by_a_write, kept_by_a_read])
async def test_streaming_and_background_work_cannot_reach_the_session_of_the_request(
    open_library: Open,
    library_url: str,
    keep: Callable[[Database], Awaitable[AsyncSession]],
    path: str,
) -> None:
    library = open_library(library_url, pool_size=1)
    transport = httpx.ASGITransport(service(library, keep))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        for _ in range(3):  # a connection that leaked would be the last one
            with pytest.raises(InvalidRequestError, match="closed"):
                await http.get(path)
    assert library.pool_status().in_use == 0
    await asyncio.wait_for(library.ping(), 30)
