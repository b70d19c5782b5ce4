"""Measures the memory of one worker: `python -m benchmarks.memory [--minutes 10]`."""

import argparse
import resource
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.lab import machine, postgres
from benchmarks.lab.progress import Progress
from benchmarks.lab.tables import number, put_between, table
from benchmarks.lab.wrk import Request, put_load
from benchmarks.service import contenders
from benchmarks.service.contenders import Contender, all_peers, chosen
from benchmarks.service.measuring import requests_for

README = Path(__file__).with_name("README.md")
MEGABYTE = 1024 * 1024
PIECE_SECONDS = 10


@dataclass(frozen=True)
class Point:
    """The memory of the worker at one moment.

    Attributes:
        moment: what had happened.
        resident: RSS in bytes; proportional: PSS in bytes.
        per_connection: bytes for each idle connection; None where there are none.
    """

    moment: str
    resident: int
    proportional: int
    per_connection: float | None = None

    @property
    def row(self) -> tuple[str, str, str, str]:
        """The line of the table."""
        each = "" if self.per_connection is None else number(self.per_connection)
        megabytes = (f"{value / MEGABYTE:.1f}" for value in (self.resident, self.proportional))
        return (self.moment, *megabytes, each)


class Worker:
    """A running service, its memory noted from time to time."""

    def __init__(self, contender: Contender, core: int) -> None:
        self.contender = contender
        self.core = core
        self.points: list[Point] = []

    def note(self, moment: str, per_connection: float | None = None) -> Point:
        """Measures now."""
        self.contender.server.wait_until_idle()
        memory = self.contender.server.memory()
        point = Point(moment, memory.resident, memory.proportional, per_connection)
        self.points.append(point)
        return point

    def serve(self, requests: list[Request], seconds: float, connections: int) -> int:
        """Puts load on it; gives the number of answers."""
        load = put_load(
            self.contender.server.url,
            requests,
            seconds=seconds,
            connections=connections,
            core=self.core,
            headers=self.contender.headers,
        )
        if load.errors:
            raise SystemExit(f"{load.errors} requests failed: {self.contender.server.log}")
        return load.requests


@contextmanager
def idle(worker: Worker, path: str, count: int) -> Iterator[None]:
    """Connections that have had one answer each and stay open."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in worker.contender.headers.items()]
    request = "\r\n".join([*lines, "", ""]).encode()
    with ExitStack() as stack:
        for _ in range(count):
            address = ("127.0.0.1", worker.contender.server.port)
            connection = stack.enter_context(socket.create_connection(address, timeout=30))
            connection.sendall(request)
            if not connection.recv(65536).startswith(b"HTTP/1.1 200"):
                raise SystemExit("an idle connection got no answer")
        yield


def connect(worker: Worker, path: str, count: int, before: Point) -> None:
    """Opens connections and closes them again; what they cost is counted from `before`."""
    with idle(worker, path, count):
        opened = worker.note(f"with {count} idle connections")
    each = (opened.proportional - before.proportional) / count
    worker.points[-1] = replace(opened, per_connection=each)
    worker.note("after they were closed")


def exhaust(worker: Worker, requests: dict[str, list[Request]], pieces: int, busy: int) -> None:
    """Puts load on it, and notes the memory after 1, 2, 4, 8 … pieces, and after the last."""
    progress = Progress(pieces * len(requests), expected=PIECE_SECONDS)
    answered, began = 0, time.monotonic()
    for piece in range(1, pieces + 1):
        for name, listed in requests.items():
            progress.next(f"load: {name}, {piece} of {pieces}")
            answered += worker.serve(listed, PIECE_SECONDS, busy)
        if piece & (piece - 1) == 0 or piece == pieces:
            minutes = (time.monotonic() - began) / 60
            worker.note(f"after {minutes:.1f} minutes of load, {number(answered)} requests")
    progress.end()


def main() -> None:
    """Runs the benchmark and writes its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip())
    parser.add_argument("--minutes", type=float, default=1.0, help="of load")
    parser.add_argument("--connections", type=int, default=1000, help="idle ones; then twice")
    parser.add_argument("--busy", type=int, default=32, help="connections of the load")
    parser.add_argument("--peer", default="kingpost-asyncpg")
    parser.add_argument("--write", action="store_true", help="the table into the README")
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    load_core, server_core = machine.cores()
    (peer,) = chosen(all_peers(), given.peer)
    with ExitStack() as stack:
        database = stack.enter_context(postgres.running(load_core))
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        database.migrate()
        database.seed(users=1_000, posts=20_000)
        contender = stack.enter_context(
            contenders.running(peer, database, core=server_core, logs=logs)
        )
        worker = Worker(contender, load_core)
        users = [row[0] for row in database.sql("SELECT id FROM users LIMIT 500")]
        requests = requests_for(peer.paths, users)
        worker.note("after the start")
        worker.serve(requests["user"], 1, given.busy)
        began = worker.note("after the first second of load")
        for count in (given.connections, 2 * given.connections):
            connect(worker, requests["user"][0].path, count, began)
        pieces = max(1, round(given.minutes * 60 / (PIECE_SECONDS * len(requests))))
        exhaust(worker, requests, pieces, given.busy)
    head = ("", "RSS MB", "PSS MB", "bytes per connection")
    written = table(head, [point.row for point in worker.points])
    print(written)
    if given.write:
        put_between(README, "table", f"{written}\n\n{peer.title}; commit {machine.revision()}.")


if __name__ == "__main__":
    main()
