"""What a request pays around its route, in CPU time, layer by layer.

    python benchmarks/overhead/middleware.py [--requests 2000] [--rounds 40] [--only proto]

Everything runs in this process: the layers around an application that answers at once, the
recognition of a key, and the protocol on bytes with a transport that drops what it gets.
Rounds of all variants take turns, so that a busy machine is busy for all of them; the best
round of each is shown.
"""

import argparse
import asyncio
import functools
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvloop
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from kingpost.context import current_request
from kingpost.http.methods import AllowedMethods, Options
from kingpost.middleware import Deadline, Methods, Observe
from kingpost.observability import Metrics, configure_logging
from kingpost.security import KeyAuthenticator, LastUsed, StoredKey, hash_key, new_key
from kingpost.server.configuration import ServerConfig
from kingpost.server.protocol import GuardedProtocol
from kingpost.settings import ServiceSettings

# As many requests end in one turn of a busy server's event loop.
REQUESTS_A_TURN = 8
BODY = b'{"id":"018f3f6e-0000-7000-8000-000000000000","email":"ada@example.com","name":"Ada"}'
HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", str(len(BODY)).encode()),
]
ROUTE = "/api/v1/users/{user_id}"
PATH = "/api/v1/users/018f3f6e-0000-7000-8000-000000000000"
REQUEST = (
    f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"
    "Authorization: Bearer kp_production_018f3f6e0000700080000000000000000123456789\r\n"
    "Accept: application/json\r\n\r\n"
).encode()

Run = Callable[[int], Awaitable[None]]


@dataclass
class Variant:
    """Something to be timed."""

    name: str
    run: Run
    best: float = float("inf")


async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    context = current_request.get()
    if context is not None:
        context.route = ROUTE
        context.actor = "key:018f3f6e-0000-7000-8000-000000000000"
        context.statements += 1
        context.database_seconds += 0.00042
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


async def answer_with_all_headers(_scope: Scope, _receive: Receive, send: Send) -> None:
    more = [
        (b"x-request-id", b"019f3f6e000070008000000000000000"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    start = {"type": "http.response.start", "status": 200, "headers": HEADERS + more}
    await send(start)
    await send({"type": "http.response.body", "body": BODY})


async def receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def drop(_message: Message) -> None:
    return


def new_scope() -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "root_path": "",
        "headers": [
            (b"host", b"127.0.0.1:8000"),
            (b"authorization", b"Bearer kp_production_018f3f6e"),
            (b"accept", b"application/json"),
        ],
        "state": {},
        "method": "GET",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
    }


async def call(app: ASGIApp, count: int) -> None:
    for number in range(count):
        await app(new_scope(), receive, drop)
        if number % REQUESTS_A_TURN == 0:
            await asyncio.sleep(0)


def layers() -> list[Variant]:
    """One layer after the other, from the inside to the outside."""
    routes = FastAPI().routes
    options = Options(answer, AllowedMethods(routes))
    methods = Methods(options)
    deadline = Deadline(methods, 30.0)

    async def quietly(app: ASGIApp, count: int) -> None:
        configure_logging("error", json=True)
        await call(app, count)
        configure_logging("info", json=True)

    return [
        Variant("an application that answers", functools.partial(call, answer)),
        Variant("+ Options", functools.partial(call, options)),
        Variant("+ Methods", functools.partial(call, methods)),
        Variant("+ Deadline", functools.partial(call, deadline)),
        Variant("+ Observe, no metrics, no line", functools.partial(quietly, Observe(deadline))),
        Variant("+ metrics", functools.partial(quietly, Observe(deadline, metrics=Metrics()))),
        Variant(
            "+ the line of the log", functools.partial(call, Observe(deadline, metrics=Metrics()))
        ),
    ]


def authentication() -> list[Variant]:
    key_id = uuid4()
    key = new_key(key_id, "production")
    stored = StoredKey(key_id, hash_key(key, b"pepper"), frozenset({"users:*"}), None, None)

    async def find(_id: object) -> StoredKey:
        return stored

    async def write(_moments: object) -> None:
        return

    keys = KeyAuthenticator(find, pepper=b"pepper", cache_seconds=60, used=LastUsed(write).touch)
    headers = [f"Bearer {key}"]

    async def run(count: int) -> None:
        for _ in range(count):
            (await keys.authenticate(headers)).require(("users:read",))

    return [Variant("a known key and its scopes", run)]


class Sink(asyncio.Transport):
    """Takes what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 50000), "sockname": ("127.0.0.1", 8000)})

    def write(self, data: bytes | bytearray | memoryview) -> None:
        del data

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        return


def protocols() -> list[Variant]:
    """A request as bytes, in a task of its own as a server does it, without sockets."""
    settings = ServiceSettings(environment="production", secret="x" * 32, allowed_hosts="127.0.0.1")

    def of(kind: Any) -> Run:
        async def run(count: int) -> None:
            config = ServerConfig(answer_with_all_headers, settings)
            config.load()
            config.loaded_app = answer_with_all_headers
            state = ServerState()
            state.default_headers = [(b"date", b"Sun, 22 Nov 2026 06:00:00 GMT")]
            connections = [kind(config, state, {}) for _ in range(REQUESTS_A_TURN)]
            for connection in connections:
                connection.connection_made(Sink())
            for _ in range(count // len(connections)):
                for connection in connections:
                    connection.data_received(REQUEST)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            for connection in connections:
                connection.connection_lost(None)

        return run

    return [
        Variant("uvicorn's HttpToolsProtocol", of(HttpToolsProtocol)),
        Variant("GuardedProtocol", of(GuardedProtocol)),
    ]


async def measure(variants: Iterable[Variant], requests: int, rounds: int) -> None:
    variants = list(variants)
    for variant in variants:
        await variant.run(requests // 10)
    for _ in range(rounds):
        for variant in variants:
            began = time.process_time()
            await variant.run(requests)
            taken = (time.process_time() - began) / requests * 1e6
            variant.best = min(variant.best, taken)


def show(title: str, variants: list[Variant]) -> None:
    print(f"\n{title:34}{'µs':>8}{'more':>8}")
    before = 0.0
    for variant in variants:
        print(f"{variant.name:34}{variant.best:8.2f}{variant.best - before:8.2f}")
        before = variant.best


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--requests", type=int, default=2_000)
    arguments.add_argument("--rounds", type=int, default=40)
    arguments.add_argument("--log", default=os.devnull, help="where the log goes")
    arguments.add_argument(
        "--only", default="", help="a part of the title of a table, such as proto"
    )
    given = arguments.parse_args()
    shown = sys.stdout
    with Path(given.log).open("w") as log:
        configure_logging("info", json=True)
        sys.stdout = log
        groups = {
            title: make()
            for title, make in (
                ("Layers", layers),
                ("Authentication", authentication),
                ("Protocol", protocols),
            )
            if given.only in title.lower()
        }

        async def everything() -> None:
            for variants in groups.values():
                await measure(variants, given.requests, given.rounds)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(everything())
        sys.stdout = shown
    for title, variants in groups.items():
        show(title, variants)


if __name__ == "__main__":
    main()
