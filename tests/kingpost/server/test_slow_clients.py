"""Clients that send or read slowly, or not at all, against a real server."""

import json
import select
import socket
from collections.abc import Iterator

import pytest
from tests.kingpost.server.conftest import Connection, Service

HOST = b"Host: localhost\r\n"
POST = b"POST /echo HTTP/1.1\r\n" + HOST
GET = b"GET /hello HTTP/1.1\r\n" + HOST


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(
        tmp_path_factory.mktemp("service") / "service.log",
        environment="production",
        secret="x" * 32,
        ops_port=0,
        request_timeout=20.0,  # far behind, so that it is not this one that is hit
        body_timeout=1.0,
        write_timeout=2.0,
        drain_seconds=0,
    )
    yield service
    assert service.end() == 0, service.text()


def test_content_that_stalls_is_408_and_the_connection_is_closed(service):
    connection = service.connect()
    connection.send(POST + b"X-Request-Id: stalled-1\r\nContent-Length: 9\r\n\r\nabc")
    answer = connection.answer()

    assert (answer.status, answer.problem) == (408, "request-timeout")
    assert answer.headers["connection"] == "close"
    assert json.loads(answer.body)["request_id"] == "stalled-1"
    assert connection.rest() == b""
    (line,) = service.lines_of("stalled-1")
    assert (line["event"], line["status"]) == ("request", 408)
    assert 'status="408"' in service.ops("/metrics").text


@pytest.mark.parametrize(
    ("framing", "drip"),
    [(b"Content-Length: 100000\r\n", b"a"), (b"Transfer-Encoding: chunked\r\n", b"1\r\na\r\n")],
    ids=["length", "chunked"],
)
def test_content_that_comes_byte_by_byte_is_408(service, framing, drip):
    connection = service.connect().send(POST + framing + b"\r\n")
    while not readable(connection, 0.05):
        connection.send(drip)

    assert connection.answer().problem == "request-timeout"


def readable(connection: Connection, seconds: float) -> bool:
    return bool(select.select([connection.socket], [], [], seconds)[0])


def test_a_client_that_waits_for_100_continue_and_sends_nothing_is_408(service):
    connection = service.connect()
    connection.send(POST + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n")

    assert connection.answer().status == 100
    assert connection.answer().problem == "request-timeout"


def test_an_answer_that_has_begun_and_waits_for_content_ends_with_its_connection(service):
    begun = b"POST /stream/late HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\n"
    connection = service.connect().send(begun)

    assert connection.answer().status == 200
    assert not connection.rest().endswith(b"0\r\n\r\n")


@pytest.fixture
def alone(service: Service) -> Service:
    """The service, once all that the tests before this one have opened is gone."""
    for connection in service.connections:
        connection.close()
    service.wait_for(lambda: connected(service) == 0)
    return service


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"], ids=["kept", "closing"])
def test_a_client_that_does_not_read_is_cut_off(alone, more):
    client = reads_nothing(alone, b"GET /large HTTP/1.1\r\n" + HOST + more + b"\r\n")
    alone.wait_for(lambda: connected(alone) == 1)

    alone.wait_for(lambda: connected(alone) == 0)
    client.close()
    assert alone.get("/hello").status_code == 200


def test_a_client_that_asks_on_and_on_without_reading_is_cut_off(alone):
    client = reads_nothing(alone, b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n", times=50)
    alone.wait_for(lambda: connected(alone) == 1)

    alone.wait_for(lambda: connected(alone) == 0)
    client.close()


def test_a_client_that_reads_a_large_answer_gets_all_of_it(service):
    request = b"GET /large HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    client = service.connect().send(request).socket
    size = 0
    while data := client.recv(1_000_000):
        size += len(data)

    assert size > 32 * 1024 * 1024


def reads_nothing(service: Service, request: bytes, times: int = 1) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", service.port))
    client.sendall(request * times)
    return client


def connected(service: Service) -> int:
    lines = service.ops("/metrics").text.splitlines()
    (line,) = [line for line in lines if line.startswith("http_server_connections ")]
    return int(float(line.split()[1]))
