"""Real servers and raw connections to them."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from kingpost.testing.process import NO_TLS

SCRIPT = Path(__file__).with_name("sample_service.py")
PATIENCE = 30.0
OPTIONS: dict[str, Any] = {"trust_env": False, "timeout": PATIENCE, "verify": NO_TLS}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> str:
        assert self.headers["content-type"] == "application/problem+json", self
        document = json.loads(self.body)
        assert document["status"] == self.status
        assert document["request_id"] == self.headers["x-request-id"]
        return str(document["type"]).removeprefix("/problems/")


class Connection:
    """A TCP connection that can say anything."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.unread = b""

    def send(self, data: bytes) -> "Connection":
        self.socket.sendall(data)
        return self

    def answer(self, *, head: bool = False) -> Answer:
        while b"\r\n\r\n" not in self.unread:
            self._read()
        section, self.unread = self.unread.split(b"\r\n\r\n", 1)
        status_line, *lines = section.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, value = line.split(": ", 1)
            assert name.lower() not in headers or name.lower() == "connection", f"{name} twice"
            headers[name.lower()] = value
        length = 0 if head else int(headers.get("content-length", "0"))
        while len(self.unread) < length:
            self._read()
        body, self.unread = self.unread[:length], self.unread[length:]
        return Answer(int(status_line.split(" ")[1]), headers, body)

    def _read(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError(f"closed after {self.unread!r}")
        self.unread += data

    def rest(self) -> bytes:
        """Everything until the server closes."""
        while data := self.socket.recv(65536):
            self.unread += data
        return self.unread

    def close(self) -> None:
        self.socket.close()


class Service:
    """A process of the sample service."""

    def __init__(self, log: Path, **settings: Any) -> None:
        self.log = log
        given = {"port": 0, **settings}
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), json.dumps(given)], stdout=file, stderr=file
            )
        self.wait_for(lambda: "READY " in self.text())
        ready = self.text().split("READY ", 1)[1].split("\n", 1)[0].split()
        self.port = int(ready[0])
        self.ops_port = None if ready[1] == "None" else int(ready[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.connections: list[Connection] = []

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]

    def lines_of(self, request_id: str, count: int = 1) -> list[dict[str, Any]]:
        """The log of one request, once it is complete: it is written after the answer."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.lines() if line.get("request_id") == request_id]

        self.wait_for(lambda: len(found()) >= count)
        return found()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None or condition(), self.text()
            assert time.monotonic() < end, self.text()
            time.sleep(0.01)

    def connect(self, port: int | None = None) -> Connection:
        self.connections.append(Connection(port or self.port))
        return self.connections[-1]

    def talk(self, data: bytes, *, head: bool = False) -> Answer:
        return self.connect().send(data).answer(head=head)

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        headers = {"Host": "localhost", **(headers or {})}
        return httpx.get(self.url + path, headers=headers, **OPTIONS)

    def ops(self, path: str) -> httpx.Response:
        url = f"http://127.0.0.1:{self.ops_port or self.port}{path}"
        return httpx.get(url, **OPTIONS)

    def wait_until_arrived(self, name: str) -> None:
        self.wait_for(lambda: self.get(f"/arrived/{name}").json() is True)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        for connection in self.connections:
            connection.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts a process of its own, for tests that end it."""
    services: list[Service] = []

    def start(**settings: Any) -> Service:
        services.append(Service(tmp_path / f"service-{len(services)}.log", **settings))
        return services[-1]

    yield start
    for service in services:
        service.end()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One process for the tests of a module, with small limits and JSON logs."""
    service = Service(
        tmp_path_factory.mktemp("service") / "service.log",
        environment="production",
        secret="x" * 32,
        allowed_hosts="localhost, api.example",
        max_header_bytes=4096,
        max_headers=20,
        max_url_bytes=1024,
        request_timeout=2.0,
        statement_timeout=1.5,
        lock_timeout=1.0,
        acquire_timeout=0.5,
        drain_seconds=0,
    )
    yield service
    assert service.end() == 0, service.text()
