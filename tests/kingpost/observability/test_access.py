"""The line about a request, which has a way of its own to standard output."""

import asyncio
import json
import logging

import pytest
import structlog
from structlog.testing import capture_logs

from kingpost.context import RequestContext, current_request
from kingpost.middleware import Observe
from kingpost.observability import configure_logging
from kingpost.observability.logging import access_log

KEY = "kp_live_0123456789abcdefCANARY_x1"
TRACE = {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7"}
CONTEXTS = [
    RequestContext("r-1", "GET", "/x", "/x/{id}", "key:1", 2, 0.0125),
    RequestContext("r-1", "GET", "/x", None),
    RequestContext("r-1", "PUT", "/x", "/x", notes=TRACE),
    RequestContext("r-1", "PUT", "/x", "/x", notes={"other": 1}),
    RequestContext(KEY, "GET", "/x", "/x"),
    RequestContext("r-1", "GET", "/x", "/x", actor="postgresql://app:CANARY@db/app"),
    RequestContext("r-1", 'G"\n\u2028', "/x", "/\\x", actor="\x1b[31mü\ud800"),
]


@pytest.fixture(autouse=True)
def _restore():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def serve(context, *, status=200, gone=False, level="info"):
    """A request that ends as this context says, seen by the middleware that logs it."""

    async def app(scope, _receive, send):
        ours = current_request.get()
        for name in ("request_id", "method", "route", "actor", "statements", "database_seconds"):
            setattr(ours, name, getattr(context, name))
        ours.notes.update(context.notes)
        scope["kingpost.disconnected"] = gone
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def drop(_message):
        return

    configure_logging(level)
    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    await Observe(app)(scope, None, drop)


def last_line(text):
    """What was written, without what differs from one run to the next."""
    line = json.loads(text.splitlines()[-1])
    assert line.pop("timestamp").endswith("Z")
    assert line.pop("duration_ms") >= 0
    return list(line.items())


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("gone", [False, True])
async def test_the_line_is_the_one_that_structlog_would_write(capsys, monkeypatch, context, gone):
    await serve(context, gone=gone)
    await asyncio.sleep(0)
    ours = capsys.readouterr().out
    monkeypatch.setattr("kingpost.middleware.observe.access_log", lambda: None)
    await serve(context, gone=gone)
    theirs = capsys.readouterr().out

    assert last_line(ours) == last_line(theirs)
    assert ours.isascii()
    assert "CANARY" not in ours


async def test_the_time_is_that_of_the_line(capsys, monkeypatch):
    configure_logging()
    for moment in (1_795_324_831.0, 1_795_324_831.03125, 1_795_324_832.5):
        monkeypatch.setattr("time.time", lambda moment=moment: moment)
        context = CONTEXTS[0]
        access_log().write(context, status=200, seconds=0.1, gone=False, level=logging.INFO)
    monkeypatch.undo()
    await asyncio.sleep(0)

    lines = [json.loads(line)["timestamp"] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "2026-11-22T05:20:31.000000Z",
        "2026-11-22T05:20:31.031250Z",
        "2026-11-22T05:20:32.500000Z",
    ]


async def test_a_level_that_is_not_written_costs_no_line(capsys):
    await serve(RequestContext("quiet", "GET", "/livez", "/livez"))
    await serve(RequestContext("normal", "GET", "/x", "/x"), level="warning")
    await asyncio.sleep(0)

    assert capsys.readouterr().out == ""


async def test_a_probe_is_in_the_log_of_level_debug(capsys):
    await serve(RequestContext("quiet", "GET", "/livez", "/livez"), level="debug")
    await asyncio.sleep(0)

    assert json.loads(capsys.readouterr().out)["level"] == "debug"


async def test_a_test_that_captures_lines_sees_those_about_requests_too():
    configure_logging()
    with capture_logs() as lines:

        async def app(_scope, _receive, send):
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        async def drop(_message):
            return

        await Observe(app)({"type": "http", "method": "GET", "path": "/", "headers": []}, 0, drop)

    assert [(line["event"], line["status"]) for line in lines] == [("request", 204)]


def test_there_is_no_such_way_for_people_or_for_who_configures_structlog_himself():
    configure_logging(json=False)
    assert access_log() is None

    configure_logging(json=True)
    assert access_log() is not None

    structlog.configure(processors=[structlog.processors.JSONRenderer()])
    assert access_log() is None

    structlog.reset_defaults()
    assert access_log() is None
