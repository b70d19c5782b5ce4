"""How a server begins and ends, seen from outside."""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from kingpost.testing.process import NO_TLS

GET = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_exit_code_0(start, number):
    service = start()
    service.signal(number)

    assert service.process.wait(30) == 0
    assert "Application shutdown complete" in service.text()


def test_requests_in_flight_at_sigterm_get_their_answers(start):
    service = start()
    waiting = service.connect().send(b"GET /wait/a HTTP/1.1\r\nHost: localhost\r\n\r\n")
    upload = b"POST /release/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
    uploading = service.connect().send(upload)
    service.wait_until_arrived("a")
    service.signal(signal.SIGTERM)
    service.wait_for(lambda: "Shutting down" in service.text())

    uploading.send(b"ok")

    for connection, body in ((uploading, b"ok"), (waiting, b"released")):
        answer = connection.answer()
        assert (answer.status, answer.body) == (200, body)
        assert answer.headers["connection"] == "close"
        assert connection.rest() == b""
    assert service.process.wait(30) == 0


def test_half_a_head_at_sigterm_is_a_request_in_flight_too(start):
    service = start()
    connection = service.connect().send(GET[:-2])
    service.get("/hello")
    service.signal(signal.SIGTERM)
    service.wait_for(lambda: "Shutting down" in service.text())

    answer = connection.send(GET[-2:]).answer()

    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert service.process.wait(30) == 0


def test_while_draining_it_is_not_ready_and_still_serves(start):
    service = start(drain_seconds=60, ops_port=0)
    kept = service.connect().send(GET)
    kept.answer()
    busy = service.connect().send(b"GET /wait/busy HTTP/1.1\r\nHost: localhost\r\n\r\n")
    service.wait_until_arrived("busy")
    assert service.ops("/readyz").status_code == 200

    service.signal(signal.SIGTERM)
    service.wait_for(lambda: service.ops("/readyz").status_code == 503)

    not_ready = service.ops("/readyz")
    assert not_ready.json()["type"] == "/problems/not-ready"
    assert not_ready.headers["retry-after"] == "1"
    assert service.ops("/livez").status_code == 200
    fresh = service.get("/hello")
    assert (fresh.status_code, fresh.headers["connection"]) == (200, "close")
    assert kept.send(GET).answer().headers["connection"] == "close"
    service.get("/release/busy")
    assert busy.answer().headers["connection"] == "close"
    assert service.process.poll() is None
    service.signal(signal.SIGINT)  # the second signal does not wait
    assert service.process.wait(30) == 0


def test_clients_that_watch_readiness_lose_nothing(start):
    service = start(drain_seconds=60, ops_port=0)
    stop = threading.Event()

    def client(keep_alive):
        statuses = []
        while not stop.is_set():
            with httpx.Client(trust_env=False, timeout=30, verify=NO_TLS) as http:
                answers = [http.get(service.url + "/hello") for _ in range(keep_alive)]
                statuses += [answer.status_code for answer in answers]
        return statuses

    with ThreadPoolExecutor() as pool:
        clients = [pool.submit(client, keep_alive) for keep_alive in (1, 1, 5, 5)]
        try:
            service.wait_for(lambda: service.text().count(" request ") > 20)
            service.signal(signal.SIGTERM)
            service.wait_for(lambda: service.ops("/readyz").status_code == 503)
        finally:
            stop.set()
        statuses = [status for done in clients for status in done.result()]

    assert set(statuses) == {200}
    service.signal(signal.SIGINT)
    assert service.process.wait(30) == 0


def test_after_draining_idle_connections_are_closed_and_new_ones_refused(start):
    service = start(drain_seconds=0.2)
    idle = service.connect().send(GET)
    idle.answer()
    service.signal(signal.SIGTERM)

    assert idle.rest() == b""
    assert service.process.wait(30) == 0
    with pytest.raises(httpx.ConnectError):
        service.get("/hello")


def test_a_request_that_does_not_end_gets_503_after_the_shutdown_timeout(start):
    service = start(
        shutdown_timeout=1,
        request_timeout=120,
        environment="production",
        secret="x" * 32,
    )
    client = service.connect().send(b"GET /wait/b HTTP/1.1\r\nHost: localhost\r\n\r\n")
    service.wait_until_arrived("b")
    service.signal(signal.SIGTERM)

    assert client.answer().problem == "unavailable"
    assert service.process.wait(30) == 0
    cut = [line for line in service.lines() if "Request cut" in line["event"]]
    assert [line["level"] for line in cut] == ["error"]
    assert "Traceback" not in service.text()
    assert "exception" not in cut[0]


def test_a_second_sigint_does_not_wait_for_requests(start):
    service = start(shutdown_timeout=600, request_timeout=120)
    service.connect().send(b"GET /wait/c HTTP/1.1\r\nHost: localhost\r\n\r\n")
    service.wait_until_arrived("c")
    service.signal(signal.SIGINT)
    service.wait_for(lambda: "Waiting for connections to close" in service.text())
    service.signal(signal.SIGINT)

    assert service.process.wait(30) == 0


def test_a_killed_server_leaves_its_port_to_the_next_one(start):
    service = start()
    service.connect().send(GET).answer()
    service.signal(signal.SIGKILL)
    service.process.wait(30)

    assert start(port=service.port).get("/hello").status_code == 200


def test_the_operations_port_serves_operations_only(start):
    service = start(ops_port=0, allowed_hosts="localhost")

    assert service.ops("/livez").json() == {"status": "alive"}
    assert service.ops("/readyz").json() == {"status": "ready", "checks": {}}
    assert "kingpost_build_info" in service.ops("/metrics").text
    assert service.ops("/hello").status_code == 404
    assert service.get("/livez").status_code == 404
    assert service.ops("/hello").headers["x-request-id"]


def test_without_an_operations_port_the_api_port_has_them(start):
    service = start()

    assert service.get("/livez").status_code == 200
    assert service.get("/readyz").status_code == 200
    assert service.get("/metrics").headers["content-type"].startswith("text/plain")
