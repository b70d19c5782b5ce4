"""Applications called as a server would call them, without a server."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from starlette.types import ASGIApp, Message, Scope


@dataclass
class Call:
    """One request and what was sent in answer."""

    sent: list[Message] = field(default_factory=list)
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.answered.set()

    async def receive(self) -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def run(self, app: ASGIApp, **scope: Any) -> "Call":
        await app(self.scope(**scope), self.receive, self.send)
        return self

    def scope(self, **given: Any) -> Scope:
        path = given.get("path", "/")
        return {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [],
            **given,
        }


@pytest.fixture(autouse=True)
def all_log_lines() -> None:
    """A service that another test started here may have configured fewer."""
    structlog.reset_defaults()


@pytest.fixture
def call() -> Callable[..., Awaitable[Call]]:
    """`await call(app, method="HEAD", path="/x")` gives the answer."""

    async def run(app: ASGIApp, **scope: Any) -> Call:
        return await Call().run(app, **scope)

    return run


@pytest.fixture
def pending() -> Call:
    """A call that the test starts and watches itself."""
    return Call()


@pytest.fixture
def new_call() -> type[Call]:
    """For tests that start several."""
    return Call
