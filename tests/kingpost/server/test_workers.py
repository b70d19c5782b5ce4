"""Several processes on one port: what dies is replaced, what is asked to end ends in order."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from tests.kingpost.server.conftest import Service

from kingpost.testing.process import NO_TLS

Start = Callable[..., Service]


def pids(service: Service, ready: int) -> list[int]:
    """The workers, once so many have said that they serve."""
    service.wait_for(lambda: service.text().count(" serving ") >= ready)
    lines = [line for line in service.text().splitlines() if "worker started" in line]
    return [int(line.rpartition("pid=")[2]) for line in lines]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def more(service: Service, journal: list[object], count: int) -> None:
    """Waits until so many more requests have come to an end."""
    wanted = len(journal) + count
    service.wait_for(lambda: len(journal) >= wanted)


@contextmanager
def load(url: str, *, keep_alive: tuple[int, ...] = (1, 1, 20, 10**9)) -> Iterator[list[object]]:
    """Clients that ask all the time; yields what became of each request."""
    stop = threading.Event()
    journal: list[object] = []

    def client(requests: int) -> None:
        while not stop.is_set():
            with httpx.Client(trust_env=False, timeout=30, verify=NO_TLS) as http:
                for _ in range(requests):
                    if stop.is_set():
                        return
                    try:
                        journal.append(http.get(url + "/hello").status_code)
                    except httpx.HTTPError as error:
                        journal.append(error)

    with ThreadPoolExecutor() as pool:
        clients = [pool.submit(client, requests) for requests in keep_alive]
        try:
            yield journal
        finally:
            stop.set()
            for done in clients:
                done.result()


def test_a_killed_worker_is_replaced_and_only_its_requests_fail(start: Start) -> None:
    service = start(workers=3)
    pids(service, ready=3)
    with load(service.url) as journal:
        for ready in (3, 4, 5):
            more(service, journal, 30)
            last = pids(service, ready)[-1]
            os.kill(last, signal.SIGKILL)
            pids(service, ready + 1)
        more(service, journal, 30)

    failed = [outcome for outcome in journal if outcome != 200]
    assert len(failed) <= 3 * 4, failed  # each client has one request on its way
    assert not any(isinstance(outcome, httpx.ConnectError) for outcome in failed)
    assert len([pid for pid in pids(service, ready=6) if alive(pid)]) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_workers_with_exit_code_0(start: Start, number: int) -> None:
    service = start(workers=2)
    seen = pids(service, ready=2)
    waiting = service.connect().send(b"GET /stream/a HTTP/1.1\r\nHost: localhost\r\n\r\n")
    waiting.socket.recv(1)
    service.signal(number)
    service.signal(signal.SIGTERM)  # as a second one does that goes to the whole group

    assert service.process.poll() is None
    for pid in seen:
        os.kill(pid, signal.SIGTERM)
    waiting.close()
    assert service.process.wait(30) == 0
    assert not any(alive(pid) for pid in seen)


def test_requests_in_flight_at_sigterm_are_answered_by_every_worker(start: Start) -> None:
    service = start(workers=2, drain_seconds=60, ops_port=0)
    pids(service, ready=2)
    with load(service.url) as journal:
        service.wait_for(lambda: len(journal) > 50)
        service.signal(signal.SIGTERM)
        service.wait_for(lambda: service.ops("/readyz").status_code == 503)
        more(service, journal, 50)
    assert service.get("/hello").headers["connection"] == "close"
    assert set(journal) == {200}
    service.signal(signal.SIGINT)  # the second signal does not wait
    assert service.process.wait(30) == 0


def test_workers_end_when_the_supervisor_is_killed_and_free_the_port(start: Start) -> None:
    service = start(workers=2)
    seen = pids(service, ready=2)
    service.signal(signal.SIGKILL)
    service.process.wait(30)
    end = threading.Event()
    while any(alive(pid) for pid in seen):
        assert not end.wait(0.01)

    assert start(port=service.port, workers=2).get("/hello").status_code == 200


def test_a_blocked_worker_is_killed_and_replaced(start: Start) -> None:
    service = start(workers=2, worker_timeout=2)
    pids(service, ready=2)
    blocked = service.connect().send(b"GET /block HTTP/1.1\r\nHost: localhost\r\n\r\n")

    with pytest.raises(ConnectionError):
        blocked.answer()
    assert "worker is blocked" in service.text()
    pids(service, ready=3)
    assert service.get("/hello").status_code == 200


@pytest.mark.parametrize("whole", [True, False], ids=["SIGHUP", "SIGTERM to a worker"])
def test_workers_are_replaced_without_losing_a_request(start: Start, whole: bool) -> None:
    service = start(workers=2)
    before = pids(service, ready=2)
    with load(service.url) as journal:
        service.wait_for(lambda: len(journal) > 20)
        if whole:
            service.signal(signal.SIGHUP)
        else:
            os.kill(before[0], signal.SIGTERM)
        old = before if whole else before[:1]
        service.wait_for(lambda: not any(alive(pid) for pid in old))

    assert set(journal) == {200}
    assert len([pid for pid in pids(service, ready=2) if alive(pid)]) == 2


def test_an_application_that_does_not_start_ends_the_server(start: Start) -> None:
    with pytest.raises(AssertionError, match="no worker starts, 5 have died"):
        start(workers=2, host="127.0.0.1", allowed_hosts="fail").wait_for(lambda: False)


def test_metrics_are_those_of_every_worker(start: Start) -> None:
    service = start(workers=3, ops_port=0)
    pids(service, ready=3)

    text = service.ops("/metrics").text

    lines = [line for line in text.splitlines() if line.startswith("kingpost_build_info{")]
    assert [line.split('"')[1] for line in lines] == ["0", "1", "2"]
    types = [line for line in text.splitlines() if line.startswith("# TYPE ")]
    assert len(types) == len(set(types))
