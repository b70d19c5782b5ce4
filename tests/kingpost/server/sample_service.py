"""A small service for the tests of the server: `python sample_service.py '{"port": 0, …}'`.

Prints one line `READY <port> <ops port>` when it serves. Its routes do what a test needs to see
from outside: wait to be released, fail, fail after the answer has begun, stream, freeze.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from kingpost.context import current_request
from kingpost.middleware import Deadline, Methods, Observe
from kingpost.server import OperationsRoutes, Server, State, serve
from kingpost.server.sockets import port_of
from kingpost.server.workers import Supervisor, open_or_take
from kingpost.settings import ServiceSettings

LARGE = 32 * 1024 * 1024  # more than the kernel takes for a client that does not read

gates: dict[str, asyncio.Event] = {}
arrived: set[str] = set()


def gate(request: Request) -> asyncio.Event:
    return gates.setdefault(request.path_params["name"], asyncio.Event())


def name_route(request: Request, template: str) -> None:
    context = current_request.get()
    assert context is not None
    context.route = template
    context.notes["path"] = request.url.path


async def hello(request: Request) -> Response:
    name_route(request, "/hello")
    context = current_request.get()
    assert context is not None
    structlog.get_logger("sample").info("hello", note=request.query_params.get("note"))
    return JSONResponse(
        {"id": context.request_id, "host": request.headers.get("host"), "query": request.url.query}
    )


async def headers(request: Request) -> Response:
    await request.body()
    return JSONResponse([[name, value] for name, value in request.headers.items()])


async def echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def large(_: Request) -> Response:
    return PlainTextResponse("x" * LARGE)


async def collector(_: Request) -> Response:
    return JSONResponse({"frozen": gc.get_freeze_count(), "young": gc.get_threshold()[0]})


async def refuse(_: Request) -> Response:
    return PlainTextResponse("no", 413, headers={"Connection": "close"})


async def ignore(_: Request) -> Response:
    return PlainTextResponse("ignored")


async def wait(request: Request) -> Response:
    arrived.add(request.path_params["name"])
    await gate(request).wait()
    return PlainTextResponse("released")


async def release(request: Request) -> Response:
    await request.body()
    gate(request).set()
    return PlainTextResponse("ok")


async def has_arrived(request: Request) -> Response:
    return JSONResponse(request.path_params["name"] in arrived)


async def which(_: Request) -> Response:
    return JSONResponse(os.getpid())


async def block(_: Request) -> Response:
    time.sleep(600)  # noqa: ASYNC251 - so blocks what is not async
    return PlainTextResponse("never")


async def frozen(request: Request) -> Response:
    """Like a driver on a silent server: does not end when it is cancelled."""
    arrived.add(request.path_params["name"])
    event = gate(request)
    while not event.is_set():
        try:
            await event.wait()
        except asyncio.CancelledError:
            arrived.add(request.path_params["name"] + "-cancelled")
    raise RuntimeError("abandoned at last")


async def commit(request: Request) -> Response:
    context = current_request.get()
    assert context is not None
    context.committing = True
    await gate(request).wait()
    arrived.add(request.path_params["name"] + "-committed")
    return PlainTextResponse("committed")


async def boom(request: Request) -> Response:
    name_route(request, "/boom")
    raise ValueError("kp_live_canary0123456789")


async def boom_late(_: Request) -> Response:
    async def content() -> AsyncIterator[bytes]:
        yield b"begun"
        raise ValueError("too late")

    return StreamingResponse(content())


async def stream(request: Request) -> Response:
    async def content() -> AsyncIterator[bytes]:
        yield b"begun "
        await gate(request).wait()
        yield b"finished"

    return StreamingResponse(content())


ROUTES = [
    Route("/", hello),
    Route("/hello", hello),
    Route("/headers", headers, methods=["GET", "POST"]),
    Route("/echo", echo, methods=["POST"]),
    Route("/large", large),
    Route("/collector", collector),
    Route("/refuse", refuse, methods=["POST"]),
    Route("/ignore", ignore, methods=["POST"]),
    Route("/wait/{name}", wait),
    Route("/list", ignore),
    Route("/release/{name}", release, methods=["GET", "POST"]),
    Route("/arrived/{name}", has_arrived),
    Route("/frozen/{name}", frozen),
    Route("/which", which),
    Route("/block", block),
    Route("/commit/{name}", commit),
    Route("/boom", boom),
    Route("/boom-late", boom_late),
    Route("/stream/{name}", stream, methods=["GET", "POST"]),
]


def create_app(settings: ServiceSettings) -> Starlette:
    if settings.allowed_hosts == "fail":
        raise RuntimeError("as the test wants it")
    app = Starlette(routes=ROUTES)
    state = State(is_list=lambda scope: scope["path"] == "/list")
    app.state.kingpost = SimpleNamespace(state=state)
    app.add_middleware(Deadline, seconds=settings.request_timeout)
    app.add_middleware(Methods)
    if settings.ops_port is None:
        app.add_middleware(OperationsRoutes, state=state)
    development = settings.environment == "development"
    app.add_middleware(Observe, metrics=state.metrics, development=development)
    return app


def announce(server: Server) -> None:
    sys.stdout.write(f"READY {server.port} {server.ops_port}\n")
    sys.stdout.flush()


def supervise(settings: ServiceSettings) -> None:
    listeners, taken = open_or_take(settings)
    api, *ops = (port_of(listener) for listener in listeners)
    sys.stdout.write(f"READY {api} {ops[0] if ops else None}\n")
    sys.stdout.flush()
    Supervisor(create_app, settings, listeners, taken).run()


if __name__ == "__main__":
    settings = ServiceSettings(**json.loads(sys.argv[1]))
    if settings.workers > 1 or settings.handover:
        supervise(settings)
    else:
        serve(create_app, settings=settings, on_ready=announce)
