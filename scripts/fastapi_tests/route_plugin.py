"""FastAPI's own tests run on Kingpost's routes, and what served them is counted.

A pytest plugin, and imported by every process that the tests start (see `sitecustomize`).

`ROUTE` says which: `own` is FastAPI's route, `planned` has `PlannedRoute` in its place, and
`dispatched` has every application serve these from `Dispatch` as well. Each process leaves its
counts in the folder `COUNTS`.
"""

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastapi
import fastapi.routing
from starlette.middleware import Middleware

from kingpost.http.dispatch import Dispatch
from kingpost.http.planned import Plan, PlannedRoute

MODE = os.environ["ROUTE"]
COUNTS = Path(os.environ["COUNTS"])
counted: Counter[str] = Counter()


def replace_the_route() -> None:
    fastapi.routing.APIRouter.__init__.__kwdefaults__["route_class"] = PlannedRoute
    fastapi.routing.APIRoute = PlannedRoute
    count(Plan, "answer", "planned")
    unplanned = PlannedRoute.unplanned_handler

    def unplanned_handler(self: Any) -> Callable[..., Any]:
        handle = unplanned(self)

        async def handle_and_count(request: Any) -> Any:
            counted["left to FastAPI"] += 1
            return await handle(request)

        return handle_and_count

    PlannedRoute.unplanned_handler = unplanned_handler


def dispatch_everywhere() -> None:
    build = fastapi.FastAPI.build_middleware_stack

    def build_middleware_stack(self: fastapi.FastAPI) -> Any:
        own = self.user_middleware
        self.user_middleware = [*own, Middleware(Dispatch, service=self)]
        try:
            return build(self)
        finally:
            self.user_middleware = own

    fastapi.FastAPI.build_middleware_stack = build_middleware_stack
    count(Dispatch, "_serve", "dispatched")


def count(kind: type[Any], method: str, name: str) -> None:
    real = getattr(kind, method)

    async def counting(*args: Any, **options: Any) -> Any:
        counted[name] += 1
        return await real(*args, **options)

    setattr(kind, method, counting)


def pytest_sessionfinish() -> None:
    (COUNTS / str(os.getpid())).write_text(json.dumps(counted))


if MODE != "own":
    replace_the_route()
if MODE == "dispatched":
    dispatch_everywhere()
