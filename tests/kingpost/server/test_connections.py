"""More clients than there may be, against a real server; 10 may be connected here."""

import resource
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs
from tests.kingpost.server.clock import Loop
from tests.kingpost.server.conftest import PATIENCE, Connection, Service
from tests.kingpost.server.test_slow_clients import connected

from kingpost.problems import Problem
from kingpost.server.connections import OPERATIONS, REFUSED, Connections
from kingpost.server.descriptors import raise_descriptor_limit, shortage
from kingpost.settings import ServiceSettings

LIMIT = 10
HOST = b"Host: localhost\r\n"
GET = b"GET /hello HTTP/1.1\r\n" + HOST + b"\r\n"
HALF = GET[:-2]
LIVE = b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n"
UPLOAD = b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\n"
WHOLE = UPLOAD + b"abc"
Open = Callable[..., list[Connection]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(
        tmp_path_factory.mktemp("service") / "service.log",
        environment="production",
        secret="x" * 32,
        ops_port=0,
        max_connections=LIMIT,
        request_timeout=60.0,
        drain_seconds=0,
    )
    yield service
    assert service.end() == 0, service.text()


@pytest.fixture
def open_some(service: Service) -> Iterator[Open]:
    """Opens connections and sends something on each; at the end all are closed."""
    opened: list[Connection] = []

    def open_some(count: int, data: bytes = b"") -> list[Connection]:
        before = connected(service)
        new = [service.connect().send(data) for _ in range(count)]
        opened.extend(new)
        service.wait_for(lambda: connected(service) == min(before + count, LIMIT))
        if data == GET:
            assert [connection.answer().status for connection in new] == [200] * count
        return new

    yield open_some
    for connection in opened:
        connection.close()
    service.wait_for(lambda: connected(service) == 0)


@contextmanager
def stopped(service: Service) -> Iterator[None]:
    """What is sent meanwhile waits in the kernel."""
    service.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        service.signal(signal.SIGCONT)


def wait_until_somebody_may_go(service: Service, busy: list[Connection]) -> None:
    """When all were being answered, that is taken to be so for a moment."""
    assert [connection.answer().body for connection in busy] == [b"released"] * len(busy)
    service.wait_for(lambda: is_served(service.connect()))


def is_served(newcomer: Connection) -> bool:
    try:
        return newcomer.send(GET).answer().status == 200
    finally:
        newcomer.close()


def is_closed(connection: Connection) -> bool:
    try:
        return connection.rest() == b""
    except ConnectionResetError:
        return True


def test_the_one_that_was_idle_for_longest_makes_room(open_some):
    *others, longest = open_some(LIMIT, GET)
    assert all(connection.send(GET).answer().status == 200 for connection in others)

    (new,) = open_some(1, GET)

    assert is_closed(longest)
    for connection in (new, *others):
        assert connection.send(GET).answer().status == 200


def test_an_idle_one_whose_next_request_has_come_is_not_closed(service, open_some):
    asks_again, *others = open_some(LIMIT, GET)
    with stopped(service):
        new = [service.connect().send(GET) for _ in range(LIMIT - 1)]
        asks_again.send(GET)

    assert all(connection.answer().status == 200 for connection in (asks_again, *new))
    assert all(is_closed(connection) for connection in others)
    for connection in new:
        connection.close()


@pytest.mark.parametrize("data", [b"", HALF], ids=["silent", "half a head"])
def test_who_has_not_asked_anything_goes_before_who_is_idle(open_some, data):
    idle = open_some(LIMIT - 3, GET)
    beginners = open_some(3, data)

    new = open_some(3, GET)

    assert all(is_closed(connection) for connection in beginners)
    assert all(c.send(GET).answer().status == 200 for c in (*idle, *new))


def test_a_flood_closes_its_own_and_nobody_else(open_some):
    good = open_some(2, GET)
    for _ in range(5):
        open_some(2 * LIMIT, HALF)
        assert good[0].send(GET).answer().status == 200
        open_some(1, GET).pop().close()

    assert good[1].send(GET).answer().status == 200


def test_while_all_are_being_answered_the_new_one_is_refused(service, open_some):
    busy = open_some(LIMIT, b"GET /wait/busy HTTP/1.1\r\n" + HOST + b"\r\n")

    for _ in range(30):
        refused = service.connect().send(GET)
        answer = refused.answer()
        assert (answer.status, answer.problem) == (503, "temporary-reduced-capacity")
        assert int(answer.headers["retry-after"]) > 0
        assert refused.rest() == b""
        refused.close()
    assert service.ops("/livez").status_code == 200

    busy.pop().close()
    service.wait_for(lambda: connected(service) == LIMIT - 1)
    open_some(1, b"GET /release/busy HTTP/1.1\r\n" + HOST + b"\r\n")
    wait_until_somebody_may_go(service, busy)


@pytest.mark.parametrize("request_", [GET, WHOLE], ids=["GET", "POST"])
def test_of_many_that_come_at_once_with_a_whole_request_none_is_reset(service, request_):
    with stopped(service):
        burst = [service.connect().send(request_) for _ in range(6 * LIMIT)]

    answers = [connection.answer() for connection in burst]

    assert {answer.status for answer in answers} <= {200, 503}
    assert [answer.status for answer in answers].count(200) >= LIMIT
    for connection in burst:
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.rest() == b""
        connection.close()
    service.wait_for(lambda: connected(service) == 0)


def test_whole_requests_beyond_the_limit_read_their_refusal(service, open_some):
    busy = open_some(LIMIT, b"GET /wait/all HTTP/1.1\r\n" + HOST + b"\r\n")
    with stopped(service):
        burst = [service.connect().send(WHOLE) for _ in range(3 * REFUSED)]

    assert [connection.answer().status for connection in burst] == [503] * len(burst)
    assert [connection.rest() for connection in burst] == [b""] * len(burst)

    busy.pop().close()
    service.wait_for(lambda: connected(service) == LIMIT - 1)
    open_some(1, b"GET /release/all HTTP/1.1\r\n" + HOST + b"\r\n")
    wait_until_somebody_may_go(service, busy)


def test_an_upload_that_waits_for_its_client_goes_before_anybody_is_refused(open_some):
    busy = open_some(LIMIT - 1, b"GET /wait/busier HTTP/1.1\r\n" + HOST + b"\r\n")
    (upload,) = open_some(1, UPLOAD)

    open_some(1, b"GET /release/busier HTTP/1.1\r\n" + HOST + b"\r\n")

    assert is_closed(upload)
    assert [connection.answer().body for connection in busy] == [b"released"] * len(busy)


def test_it_is_counted_and_said_once_a_second(service, open_some):
    open_some(3 * LIMIT, HALF)

    metrics = service.ops("/metrics").text
    closed = [line for line in metrics.splitlines() if 'closed_total{how="made_room"}' in line]
    assert float(closed[0].split()[1]) >= 2 * LIMIT
    lines = [line for line in service.lines() if line["event"] == "too many connections"]
    assert 0 < len(lines) < float(closed[0].split()[1])
    assert {line["limit"] for line in lines} == {LIMIT}


def test_the_operations_port_counts_apart(service, open_some):
    probes = [service.connect(service.ops_port).send(LIVE) for _ in range(OPERATIONS)]
    assert [probe.answer().status for probe in probes] == [200] * OPERATIONS
    users = open_some(LIMIT, GET)  # which asks the operations port too

    gone = select.select([probe.socket for probe in probes], [], [], PATIENCE)[0]
    assert 0 < len(gone) < OPERATIONS
    assert all(connection.send(GET).answer().status == 200 for connection in users)
    for probe in probes:
        probe.close()


class Busy:
    """A connection as far as `Connections` looks at one, which is being answered."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.refused = self.aborted = False
        self.transport = self.refusal = self.patience = self

    def turn(self) -> None:
        return None

    def refuse(self, _problem: Problem, *, quietly: bool) -> None:
        self.refused = quietly

    def read_arrived(self) -> bool:
        return False

    def abort(self) -> None:
        self.aborted = True


def test_few_refused_connections_are_kept_for_their_answer():
    connections, loop = Connections(1), Loop()
    first, *others = (Busy(loop) for _ in range(REFUSED + 3))
    for connection in (first, *others):
        connections.admit(connection)

    assert (first.refused, first.aborted) == (False, False)
    assert all(other.refused for other in others)
    assert [other.aborted for other in others] == [True] * 2 + [False] * REFUSED


def test_a_limit_that_needs_more_files_than_there_may_be_says_what_to_set():
    settings = ServiceSettings(max_connections=2000)
    warning = shortage(settings, 1024)

    assert warning is not None
    assert "max_connections=2000 needs 2098 open files" in warning
    assert "set max_connections to 926 or less" in warning
    assert shortage(settings, 2098) is None
    assert shortage(settings, 2097) is not None
    assert shortage(ServiceSettings(), 1024) is None


def test_at_start_the_soft_limit_of_files_becomes_the_hard_one():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft // 2, hard))
    try:
        with capture_logs() as logs:
            raise_descriptor_limit(ServiceSettings(max_connections=2**40))
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [line["log_level"] for line in logs] == ["warning"]
