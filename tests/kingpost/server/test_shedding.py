"""Too much at once: what is refused, what is not, and that it costs little."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, cast

import pytest
from tests.kingpost.server.conftest import Connection, Service
from tests.kingpost.support import until

from kingpost.server import State, shedding
from kingpost.server.operations import PATHS
from kingpost.server.shedding import Shedding

MOST, LISTS_FROM = 8, 7
GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPLOAD = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One process for the tests of this file, which is full with eight requests."""
    log = tmp_path_factory.mktemp("service") / "service.log"
    settings = {"environment": "production", "secret": "x" * 32, "drain_seconds": 0}
    settings["request_timeout"] = 60.0  # no test waits for it
    service = Service(log, **settings, max_requests=MOST)
    yield service
    assert service.end() == 0, service.text()


class Crowd:
    """Requests that are worked on until they are released."""

    def __init__(self, service: Service, name: str) -> None:
        self._service = service
        self._name = name.encode()
        self._waiting: list[Connection] = []
        # Its content is still to come, so it is not among those that are worked on.
        head = UPLOAD.replace(b"/echo", b"/release/" + self._name)
        self._release = service.connect().send(head)
        wait_until_in_flight(service, 1)

    def grow(self, size: int) -> None:
        while len(self._waiting) < size:
            waiting = self._service.connect().send(GET % (b"/wait/" + self._name))
            self._waiting.append(waiting)
        wait_until_in_flight(self._service, size + 1)

    def go(self) -> list[int]:
        assert self._release.send(b"now").answer().status == 200
        return [waiting.answer().status for waiting in self._waiting]


@pytest.fixture
def crowd(service: Service, request: pytest.FixtureRequest) -> Iterator[Crowd]:
    wait_until_in_flight(service, 0)
    made = Crowd(service, request.node.name)
    yield made
    assert set(made.go()) <= {200}
    wait_until_in_flight(service, 0)


def metric(service: Service, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", service.ops("/metrics").text, re.MULTILINE)
    assert found, name
    return float(found[1])


def wait_until_in_flight(service: Service, count: int) -> None:
    """Waits until so many requests are served, beside the one that asks."""
    service.wait_for(lambda: metric(service, "http_server_requests_in_flight") == count + 1)


def shed(service: Service) -> float:
    kinds = ("list", "any")
    return sum(
        metric(service, f'http_server_requests_shed_total{{kind="{kind}"}}') for kind in kinds
    )


def test_a_list_is_shed_before_a_create(service: Service, crowd: Crowd) -> None:
    crowd.grow(LISTS_FROM - 1)
    assert service.talk(GET % b"/list").status == 200

    crowd.grow(LISTS_FROM)
    assert service.talk(GET % b"/list").problem == "temporary-reduced-capacity"
    assert service.talk(UPLOAD + b"abc").body == b"3"
    assert service.talk(GET % b"/hello").status == 200


def test_health_answers_when_everything_else_is_shed(service: Service, crowd: Crowd) -> None:
    crowd.grow(MOST)

    assert service.talk(GET % b"/hello").status == 503
    assert service.talk(UPLOAD + b"abc").status == 503
    assert [service.ops(path).status_code for path in PATHS] == [200, 200, 200]


def test_the_refusal_is_a_problem_and_the_connection_stays_usable(
    service: Service, crowd: Crowd
) -> None:
    crowd.grow(MOST)
    connection = service.connect()
    named = GET.replace(b"\r\n\r\n", b"\r\nX-Request-Id: mine\r\n\r\n") % b"/hello"
    answers = [connection.send(request).answer() for request in (GET % b"/hello", named) * 3]

    for answer in answers:
        assert (answer.status, answer.problem) == (503, "temporary-reduced-capacity")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "date" in answer.headers
        assert "connection" not in answer.headers
    assert [answer.headers["x-request-id"] for answer in answers[1::2]] == ["mine"] * 3
    assert {answer.headers["retry-after"] for answer in answers} == {"1", "2", "3"}
    assert connection.send(GET % b"/livez").answer().status == 200


def test_a_head_is_refused_without_content(service: Service, crowd: Crowd) -> None:
    crowd.grow(MOST)
    connection = service.connect().send((GET % b"/hello").replace(b"GET", b"HEAD"))
    refused = connection.answer(head=True)

    assert (refused.status, int(refused.headers["content-length"]) > 0) == (503, True)
    assert connection.send(GET % b"/livez").answer().status == 200


def test_a_connection_that_the_client_wants_closed_is_closed(
    service: Service, crowd: Crowd
) -> None:
    crowd.grow(MOST)
    last = (GET % b"/hello").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    connection = service.connect().send(last)

    assert connection.answer().headers["connection"] == "close"
    assert connection.rest() == b""


def test_content_that_follows_a_refusal_is_dropped(service: Service, crowd: Crowd) -> None:
    crowd.grow(MOST)
    connection = service.connect().send(UPLOAD)
    assert connection.answer().status == 503

    assert connection.send(b"abc" + GET % b"/livez").answer().status == 200


def test_content_that_never_follows_a_refusal_closes_the_connection(
    start: Callable[..., Service],
) -> None:
    service = start(max_requests=4, request_timeout=4, statement_timeout=3)
    for _ in range(4):
        service.connect().send(GET % b"/wait/all")
    wait_until_in_flight(service, 4)
    connection = service.connect().send(UPLOAD)

    assert connection.answer().status == 503
    assert connection.rest() == b""


def test_many_that_come_together_are_each_refused(service: Service, crowd: Crowd) -> None:
    crowd.grow(MOST)
    connection = service.connect().send((UPLOAD + b"abc" + GET % b"/hello") * 200)

    assert {connection.answer().status for _ in range(400)} == {503}
    assert connection.send(GET % b"/livez").answer().status == 200


def test_many_that_wait_on_one_connection_are_each_refused(service: Service, crowd: Crowd) -> None:
    crowd.grow(MOST)
    count = 400  # if one ended inside the other, Python would run out of stack
    # They wait behind one that is served.
    connection = service.connect().send(GET % b"/livez" + (GET % b"/hello") * count)

    assert connection.answer().status == 200
    assert {connection.answer().status for _ in range(count)} == {503}
    assert connection.send(GET % b"/livez").answer().status == 200


def test_uploads_that_wait_for_their_client_take_no_place(service: Service, crowd: Crowd) -> None:
    del crowd  # which is one of them
    uploads: list[Connection] = []
    while len(uploads) < 3 * MOST:  # each is worked on until it asks for its content
        uploads += [service.connect().send(UPLOAD) for _ in range(MOST // 2)]
        wait_until_in_flight(service, len(uploads) + 1)

    assert service.talk(GET % b"/list").status == 200
    assert [upload.send(b"abc").answer().body for upload in uploads] == [b"3"] * len(uploads)


def test_idle_connections_take_no_place(service: Service) -> None:
    idle = [service.connect() for _ in range(3 * MOST)]
    for connection in idle:
        assert connection.send(GET % b"/hello").answer().status == 200

    assert service.talk(GET % b"/list").status == 200
    assert [c.send(GET % b"/hello").answer().status for c in idle] == [200] * len(idle)


def test_all_are_counted_and_few_lines_say_so(service: Service, crowd: Crowd) -> None:
    def lines() -> list[Any]:
        return [line for line in service.lines() if line["event"] == "requests shed"]

    crowd.grow(MOST)
    total = 'http_server_requests_total{method="GET",route="unmatched",status="503"}'
    assert service.talk(GET % b"/hello").status == 503
    before, counted = shed(service), metric(service, total)
    for _ in range(20):
        assert service.talk(GET % b"/list").status == 503
    assert shed(service) == before + 20
    assert metric(service, total) == counted + 20

    service.wait_for(lambda: sum(line["count"] for line in lines()) == shed(service))
    times = [datetime.fromisoformat(line["timestamp"]) for line in lines()]
    assert all(b - a > timedelta(seconds=0.9) for a, b in pairwise(times))
    assert {line["limit"] for line in lines()} == {MOST}


class Left:
    """A connection that is read or not."""

    is_read = True

    def leave_unread(self) -> None:
        self.is_read = False

    def read_on(self) -> None:
        self.is_read = True


def held(full: Shedding, count: int) -> list[Left]:
    """Connections that were refused something in the same moment."""
    connections = [Left() for _ in range(count)]
    for connection in connections:
        full.hold(cast(Any, connection))
    return connections


async def test_few_refusals_leave_their_connections_read() -> None:
    full = Shedding(MOST, State())
    full.working = MOST

    assert all(connection.is_read for connection in held(full, 50))


async def test_connections_beyond_what_is_affordable_are_read_later() -> None:
    full = Shedding(MOST, State())
    full.working = MOST
    connections = held(full, 1000)

    assert connections[0].is_read
    assert not connections[-1].is_read
    await until(lambda: all(connection.is_read for connection in connections))


async def test_connections_are_read_again_at_once_when_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shedding, "UNREAD_SECONDS", 3600)
    monkeypatch.setattr(shedding, "PER_SECOND", 0.01)
    full = Shedding(MOST, State())
    full.working = MOST
    connections = held(full, 3 * MOST)
    assert not any(connection.is_read for connection in connections)

    full.working = 0
    await until(lambda: all(connection.is_read for connection in connections))
