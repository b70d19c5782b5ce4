import pytest
from fastapi import FastAPI

from kingpost.testing.lifespan import LifespanFailed, running


def service(*, start: Exception | None = None, end: Exception | None = None) -> FastAPI:
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def lifespan(app: FastAPI):
        if start:
            raise start
        app.state.history = ["started"]
        yield
        app.state.history.append("ended")
        if end:
            raise end

    return FastAPI(lifespan=lifespan)


async def test_the_application_is_started_before_the_block_and_ended_after_it() -> None:
    app = service()

    async with running(app):
        assert app.state.history == ["started"]
    assert app.state.history == ["started", "ended"]


async def test_it_is_ended_when_the_block_fails() -> None:
    app = service()

    with pytest.raises(LookupError):
        async with running(app):
            raise LookupError
    assert app.state.history == ["started", "ended"]


@pytest.mark.parametrize("when", ["start", "end"])
async def test_a_failure_of_the_application_is_told(when: str) -> None:
    with pytest.raises(LifespanFailed, match="no such table"):
        async with running(service(**{when: LookupError("no such table")})):
            pass


async def test_an_application_that_ignores_the_protocol_is_told() -> None:
    async def ignorant(scope, receive, send) -> None: ...

    with pytest.raises(LifespanFailed, match="ended during startup"):
        async with running(ignorant):
            pass
