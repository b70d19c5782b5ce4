# ruff: noqa: ARG001 - ASGI applications have three arguments, needed or not
import asyncio

import httpx
import pytest

from kingpost.problems import Busy
from kingpost.server import OperationsRoutes, State, operations_app
from kingpost.server.readiness import Readiness


@pytest.fixture
def state():
    return State()


def client(app):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ops")


async def fine():
    return None


async def test_live_says_nothing_about_dependencies(state):
    async def broken():
        raise OSError

    state.checks["database"] = broken
    state.draining = True
    async with client(operations_app(state)) as ops:
        assert (await ops.get("/livez")).json() == {"status": "alive"}


async def test_ready_lists_what_was_checked(state):
    state.checks["database"] = fine
    async with client(operations_app(state)) as ops:
        answer = await ops.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "checks": {"database": "ok"}}


async def test_a_failing_check_is_503_with_a_reason_and_no_secret(state):
    async def database():
        raise OSError("could not connect to postgresql://app:CANARY@db")

    async def pool():
        raise Busy("The pool is empty.")

    state.checks.update(database=database, pool=pool, revision=fine)
    async with client(operations_app(state)) as ops:
        answer = await ops.get("/readyz")

    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "1"
    expected = {"database": "OSError", "pool": "The pool is empty.", "revision": "ok"}
    assert answer.json()["checks"] == expected
    assert "CANARY" not in answer.text


async def test_readiness_comes_back(state):
    reachable = False

    async def database():
        if not reachable:
            raise OSError

    state.checks["database"] = database
    async with client(operations_app(state)) as ops:
        assert (await ops.get("/readyz")).status_code == 503
        reachable = True
        assert (await ops.get("/readyz")).status_code == 200


async def test_a_silent_check_is_bounded_and_runs_only_once(state):
    thaw = asyncio.Event()
    started = []

    async def silent():
        started.append(1)
        await thaw.wait()

    state.checks.update(database=silent, other=fine)
    async with client(operations_app(state, check_seconds=0.02)) as ops:
        answers = await asyncio.gather(*(ops.get("/readyz") for _ in range(5)))
        assert {answer.status_code for answer in answers} == {503}
        assert answers[0].json()["checks"] == {
            "database": "no answer within 0.02 s",
            "other": "ok",
        }
        assert len(started) == 1
        thaw.set()
        await asyncio.sleep(0)
        assert (await ops.get("/readyz")).status_code == 200


async def test_a_check_that_fails_for_an_earlier_probe_is_run_once_more_for_the_later_ones():
    runs = []
    begun, fail = asyncio.Event(), asyncio.Event()

    async def database():
        runs.append(1)
        begun.set()
        if len(runs) == 1:
            await fail.wait()
            raise OSError

    readiness = Readiness({"database": database}, 30)
    earlier = asyncio.create_task(readiness.results())
    await begun.wait()
    later = [asyncio.create_task(readiness.results()) for _ in range(5)]
    await asyncio.sleep(0)
    fail.set()

    assert await earlier == {"database": "OSError"}
    assert await asyncio.gather(*later) == [{"database": "ok"}] * 5
    assert len(runs) == 2


async def test_checks_run_in_parallel(state):
    both = asyncio.Barrier(2)

    async def check():
        await both.wait()

    state.checks.update(a=check, b=check)
    async with client(operations_app(state)) as ops:
        assert (await ops.get("/readyz")).status_code == 200


async def test_other_methods_and_paths_are_problems(state):
    async with client(operations_app(state)) as ops:
        wrong = await ops.post("/livez")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD")
        assert (await ops.get("/")).json()["type"] == "/problems/not-found"
        head = await ops.head("/readyz")
        assert (head.status_code, head.content) == (200, b"")


async def test_other_paths_go_to_the_application(state):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with client(OperationsRoutes(app, state)) as both:
        assert (await both.get("/livez")).status_code == 200
        assert (await both.get("/livez/x")).status_code == 299
