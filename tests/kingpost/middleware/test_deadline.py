# ruff: noqa: ARG001 - ASGI applications have three arguments, needed or not
import asyncio
import json

import pytest

from kingpost.context import RequestContext, current_request
from kingpost.middleware import Deadline

SOON = 0.02


@pytest.fixture
def context():
    record = RequestContext("request-1", "GET", "/x")
    token = current_request.set(record)
    yield record
    current_request.reset(token)


async def respond(send, body=b"ok"):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def test_an_answer_in_time_passes(call, context):
    async def app(scope, receive, send):
        await respond(send)

    answer = await call(Deadline(app, 60))

    assert (answer.status, answer.body) == (200, b"ok")
    assert context.abandoned is False


async def test_the_answer_does_not_wait_for_the_application(pending, context):
    thaw, swallowed = asyncio.Event(), asyncio.Event()

    async def frozen(scope, receive, send):
        while not thaw.is_set():
            try:
                await thaw.wait()
            except asyncio.CancelledError:
                swallowed.set()
        await respond(send)

    task = asyncio.create_task(pending.run(Deadline(frozen, SOON)))
    await pending.answered.wait()

    assert not task.done()
    assert json.loads(pending.body)["type"] == "/problems/deadline-exceeded"
    assert json.loads(pending.body)["request_id"] == "request-1"
    assert pending.headers["retry-after"] == "1"
    assert context.abandoned is True
    await swallowed.wait()
    thaw.set()
    await task
    assert len(pending.sent) == 2  # the late answer was dropped


async def test_a_cancelled_application_ends_quietly(call, context):
    async def app(scope, receive, send):
        await asyncio.Event().wait()

    assert (await call(Deadline(app, SOON))).status == 503
    assert asyncio.current_task().cancelling() == 0


async def test_an_error_of_an_abandoned_application_ends_here(call, context):
    async def app(scope, receive, send):
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("after the fact")

    assert (await call(Deadline(app, SOON))).status == 503


async def test_an_error_in_time_is_somebody_elses(call, context):
    async def app(scope, receive, send):
        raise ValueError("in time")

    with pytest.raises(ValueError, match="in time"):
        await call(Deadline(app, 60))


async def test_a_cancellation_from_outside_goes_through(pending, context):
    async def app(scope, receive, send):
        await asyncio.Event().wait()

    task = asyncio.create_task(pending.run(Deadline(app, 60)))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert pending.sent == []


async def test_a_cancellation_from_outside_after_the_deadline_goes_through(pending, context):
    thaw = asyncio.Event()

    async def frozen(scope, receive, send):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await thaw.wait()

    task = asyncio.create_task(pending.run(Deadline(frozen, SOON)))
    await pending.answered.wait()
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_during_commit_the_outcome_is_unknown_and_the_commit_may_still_end(pending, context):
    committed = asyncio.Event()

    async def app(scope, receive, send):
        context.committing = True
        await committed.wait()
        context.notes["committed"] = True
        await respond(send)

    # The event that ends the COMMIT is set by the answer itself: before the second period is over.
    task = asyncio.create_task(pending.run(Deadline(app, 0.2)))
    await pending.answered.wait()
    committed.set()
    await task

    assert json.loads(pending.body)["type"] == "/problems/outcome-unknown"
    assert context.notes["committed"] is True
    assert len(pending.sent) == 2


async def test_what_was_committed_is_not_denied_when_the_rest_takes_too_long(call, context):
    async def app(scope, receive, send):
        context.committed = True
        await asyncio.Event().wait()

    answer = await call(Deadline(app, SOON))

    assert json.loads(answer.body)["type"] == "/problems/outcome-unknown"


async def test_a_commit_that_never_ends_is_cancelled_in_the_end(call, context):
    async def app(scope, receive, send):
        context.committing = True
        await asyncio.Event().wait()

    answer = await call(Deadline(app, SOON))

    assert json.loads(answer.body)["type"] == "/problems/outcome-unknown"


async def test_an_answer_that_has_begun_is_not_cut(pending, context):
    more = asyncio.Event()

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await more.wait()
        await send({"type": "http.response.body", "body": b"whole"})

    task = asyncio.create_task(pending.run(Deadline(app, SOON)))
    asyncio.get_running_loop().call_later(3 * SOON, more.set)
    await task

    assert (pending.status, pending.body) == (200, b"whole")


async def test_a_head_request_gets_no_content(call, context):
    async def app(scope, receive, send):
        await asyncio.Event().wait()

    answer = await call(Deadline(app, SOON), method="HEAD")

    assert (answer.status, answer.body) == (503, b"")
    assert int(answer.headers["content-length"]) > 0


async def test_what_is_not_http_has_no_deadline(pending):
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    await Deadline(app, SOON)({"type": "lifespan"}, pending.receive, pending.send)

    assert seen == ["lifespan"]


async def test_requests_in_time_make_no_tasks(call, context):
    seen = []

    async def app(scope, receive, send):
        seen.append(asyncio.current_task())
        await respond(send)

    await call(Deadline(app, 60))

    assert seen == [asyncio.current_task()]


async def test_overlapping_requests_are_each_told_in_their_own_time(new_call):
    async def never(scope, receive, send):
        await asyncio.Event().wait()

    loop = asyncio.get_running_loop()
    deadline = Deadline(never, 3 * SOON)

    async def told(name):
        current_request.set(RequestContext(name, "GET", "/x"))
        began = loop.time()
        answer = await new_call().run(deadline)
        return json.loads(answer.body)["request_id"], loop.time() - began

    first = asyncio.create_task(told("first"))
    later = loop.create_future()
    loop.call_later(SOON, later.set_result, None)
    await later
    second = asyncio.create_task(told("second"))
    names, times = zip(await first, await second, strict=True)

    assert names == ("first", "second")
    assert min(times) > 2.5 * SOON  # the first one's end is not the second one's


async def test_requests_in_time_share_one_timer(call, monkeypatch, context):
    loop = asyncio.get_running_loop()
    made = []

    def noted(when, callback, *args, **options):
        made.append(callback)
        return call_at(when, callback, *args, **options)

    call_at = loop.call_at
    monkeypatch.setattr(loop, "call_at", noted)

    async def app(scope, receive, send):
        await respond(send)

    deadline = Deadline(app, 60)
    for _ in range(3):
        await call(deadline)

    assert len(made) == 1


async def test_a_request_that_begins_after_all_others_ended_has_a_deadline_too(call, context):
    async def app(scope, receive, send):
        await respond(send)

    async def never(scope, receive, send):
        await asyncio.Event().wait()

    deadline = Deadline(app, SOON)
    assert (await call(deadline)).status == 200
    deadline.app = never
    assert [(await call(deadline)).status for _ in range(3)] == [503] * 3
