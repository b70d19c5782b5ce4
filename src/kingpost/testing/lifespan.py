"""Running an application's start and end around a test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

Message = MutableMapping[str, Any]
App = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[Message]],
        Callable[[Message], Awaitable[None]],
    ],
    Awaitable[None],
]


class LifespanFailed(Exception):
    """The application did not start or did not end as it should."""


@asynccontextmanager
async def running(app: App) -> AsyncIterator[None]:
    """Starts an ASGI application and ends it after the block, as a server does.

    The lifespan has a task of its own, because a fixture may be torn down in another task than
    the one that set it up, and a cancel scope must be left where it was entered.

    Args:
        app: the ASGI application.

    Yields:
        Nothing; the application has started.

    Raises:
        LifespanFailed: the application says that it failed to start or to end.
    """
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    outbox: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    task = asyncio.ensure_future(app(scope, inbox.get, outbox.put))
    await _step("startup", inbox, outbox, task)
    try:
        yield
    finally:
        await _step("shutdown", inbox, outbox, task)
        await task


async def _step(
    name: str,
    inbox: asyncio.Queue[Message],
    outbox: asyncio.Queue[Message],
    task: asyncio.Future[None],
) -> None:
    await inbox.put({"type": f"lifespan.{name}"})
    answer = asyncio.ensure_future(outbox.get())
    waiting: set[asyncio.Future[Any]] = {answer, task}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if not answer.done():
        answer.cancel()
        raise LifespanFailed(f"the application ended during {name}") from task.exception()
    message = answer.result()
    if message["type"] != f"lifespan.{name}.complete":
        await asyncio.wait({task})
        cause = task.exception()
        raise LifespanFailed(f"{name} failed: {message.get('message', '')}") from cause
