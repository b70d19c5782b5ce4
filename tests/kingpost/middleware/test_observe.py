# ruff: noqa: ARG001 - ASGI applications have three arguments, needed or not
import asyncio
import json

import pytest
from structlog.testing import capture_logs

from kingpost.context import current_request
from kingpost.middleware import Observe
from kingpost.observability import Metrics
from kingpost.problems import Conflict


async def ok(scope, receive, send):
    current_request.get().actor = "key:1"
    current_request.get().statements = 2
    current_request.get().database_seconds = 0.0125
    headers = [(b"Cache-Control", b"max-age=1")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


async def test_headers_of_the_application_are_kept(call):
    answer = await call(Observe(ok))

    assert answer.headers["Cache-Control"] == "max-age=1"
    assert "cache-control" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_request_is_current_inside_and_not_afterwards(call):
    seen = []

    async def app(scope, receive, send):
        seen.append(current_request.get())
        await ok(scope, receive, send)

    await call(Observe(app), method="GET", path="/x")

    assert (seen[0].method, seen[0].path) == ("GET", "/x")
    assert current_request.get() is None


async def test_the_line_has_what_the_database_did(call):
    with capture_logs() as lines:
        await call(Observe(ok))

    (line,) = lines
    assert (line["statements"], line["database_ms"]) == (2, 12.5)


async def test_requests_are_counted_and_in_flight_comes_back_to_zero(call):
    metrics = Metrics()
    during = []

    async def app(scope, receive, send):
        during.append(sample(metrics, "http_server_requests_in_flight"))
        await ok(scope, receive, send)

    await call(Observe(app, metrics=metrics))
    with pytest.raises(asyncio.CancelledError):
        await call(Observe(cancelled, metrics=metrics))

    labels = {"method": "GET", "route": "unmatched"}
    assert during == [1]
    assert sample(metrics, "http_server_requests_in_flight") == 0
    assert sample(metrics, "http_server_requests_total", status="200", **labels) == 1
    assert sample(metrics, "http_server_requests_total", status="503", **labels) == 1


async def cancelled(scope, receive, send):
    raise asyncio.CancelledError


async def test_a_request_that_the_server_ends_is_503(pending):
    with pytest.raises(asyncio.CancelledError):
        await pending.run(Observe(cancelled))

    assert pending.status == 503
    assert pending.headers["retry-after"] == "1"
    assert json.loads(pending.body)["type"] == "/problems/unavailable"


@pytest.mark.parametrize("when", ["committing", "committed"])
async def test_what_may_be_committed_is_not_denied_by_a_server_that_ends(pending, when):
    async def app(scope, receive, send):
        setattr(current_request.get(), when, True)
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await pending.run(Observe(app))

    assert json.loads(pending.body)["type"] == "/problems/outcome-unknown"


async def test_a_problem_nobody_answered_is_answered_as_itself(call):
    async def app(scope, receive, send):
        raise Conflict("Taken.")

    answer = await call(Observe(app))

    assert answer.status == 409
    assert json.loads(answer.body)["detail"] == "Taken."


async def test_an_error_on_a_head_request_has_no_content(call):
    async def app(scope, receive, send):
        raise ValueError

    answer = await call(Observe(app), method="HEAD")

    assert (answer.status, answer.body) == (500, b"")


async def test_an_error_after_the_answer_is_logged_and_costs_nothing(call):
    async def app(scope, receive, send):
        await ok(scope, receive, send)
        raise ValueError("in the background")

    with capture_logs() as lines:
        answer = await call(Observe(app))

    assert answer.status == 200
    assert [line["event"] for line in lines] == ["request", "unhandled error"]


async def test_an_error_during_the_answer_is_raised(pending):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("in between")

    with pytest.raises(ValueError, match="in between"):
        await pending.run(Observe(app))


async def test_an_application_that_never_answers_counts_as_500(call):
    async def app(scope, receive, send):
        return

    with capture_logs() as lines:
        await call(Observe(app))

    assert lines[0]["status"] == 500


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-" + b"0" * 16 + b"-01",
        b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n",
    ],
)
async def test_a_trace_that_is_not_valid_is_ignored(call, header):
    seen = []

    async def app(scope, receive, send):
        seen.append(dict(current_request.get().notes))
        await ok(scope, receive, send)

    await call(Observe(app), headers=[(b"traceparent", header)])

    assert seen == [{}]


async def test_a_trace_of_a_later_version_may_have_more(call):
    seen = []

    async def app(scope, receive, send):
        seen.append(current_request.get().notes["trace_id"])
        await ok(scope, receive, send)

    value = b"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what"
    await call(Observe(app), headers=[(b"traceparent", value)])

    assert seen == ["4bf92f3577b34da6a3ce929d0e0e4736"]


async def test_the_lifespan_passes(pending):
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    await Observe(app)({"type": "lifespan"}, pending.receive, pending.send)

    assert seen == ["lifespan"]
