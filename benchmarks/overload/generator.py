"""The clients: requests that come when their time has come, whatever became of those before.

A process of its own, `python -m benchmarks.overload.generator`, with an `Order` as JSON on
standard input and one line of JSON for each request on standard output. A loop of its own on
epoll, without asyncio, since it has to offer ten times what the server can do on half a core.
"""

import gc
import heapq
import json
import random
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

GOOD = (200, 201)
TIMED_OUT, UNSENT = 0, -1  # in the place of a status
_LARGEST = 262_144
_BACKOFF = 1.0
_MOST_EVENTS = 10_000  # all there are: what was answered in time was not given up


@dataclass(frozen=True, slots=True)
class Order:
    """What to do.

    Attributes:
        port: of the server, on 127.0.0.1.
        requests: by kind, complete requests as text; each time one is taken at random.
        shares: by kind, how many of a hundred.
        phases: how long and how many a second, one after the other; a rate of 0 means that
            each connection sends again as soon as it has its answer.
        connections: how many there may be at once.
        timeout: seconds after which a client gives up and closes its connection.
        retries: how often a client tries again, after Retry-After or a second.
    """

    port: int
    requests: dict[str, list[str]]
    shares: dict[str, int]
    phases: Sequence[tuple[float, float]]
    connections: int
    timeout: float
    retries: int = 0


@dataclass(slots=True)
class Try:
    """A request on its way.

    Attributes:
        kind: of the request.
        due: when this try was due.
        number: of the try, from 0.
    """

    kind: str
    due: float
    number: int = 0


@dataclass(slots=True, eq=False)
class Connection:
    """One to the server.

    Attributes:
        socket: to the server.
        waiting: what is sent once it is connected; None afterwards.
        under_way: what it waits for.
        seen: what has come of the answer.
    """

    socket: socket.socket
    waiting: bytes | None = b""
    under_way: Try | None = None
    seen: bytes = b""


@dataclass
class Clients:
    """All clients together.

    Args:
        order: what to do.
    """

    order: Order
    results: list[tuple[str, float, float, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(22)
        self._requests = {k: [r.encode() for r in all_] for k, all_ in self.order.requests.items()}
        self._kinds = self._chance.choices(
            list(self.order.shares), list(self.order.shares.values()), k=10_007
        )
        self._epoll = select.epoll()
        self._open: dict[int, Connection] = {}
        self._idle: deque[Connection] = deque()
        self._deadlines: deque[tuple[float, Connection, Try]] = deque()
        self._again: list[tuple[float, int, Try]] = []
        self._sent = 0
        self.began = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._open.values():
            connection.socket.close()
        self._epoll.close()

    def run(self) -> None:
        """Goes through the phases and waits for the last answers."""
        self.began = begin = time.monotonic()
        for seconds, rate in self.order.phases:
            end = begin + seconds
            if rate:
                self._open_loop(begin, end, rate)
            else:
                self._closed_loop(end)
            begin = end
        last = time.monotonic() + self.order.timeout
        while time.monotonic() < last and self._is_waiting():
            while self._again and self._again[0][0] <= time.monotonic():
                self._send(heapq.heappop(self._again)[2])
            self._look(0.05)

    def _is_waiting(self) -> bool:
        return bool(self._again) or any(one.under_way for one in self._open.values())

    def _open_loop(self, begin: float, end: float, rate: float) -> None:
        number, count = 0, int((end - begin) * rate)
        while (now := time.monotonic()) < end or number < count:
            while number < count and (due := begin + number / rate) <= now:
                self._send(Try(self._kinds[self._sent % len(self._kinds)], due))
                number += 1
            while self._again and self._again[0][0] <= now:
                self._send(heapq.heappop(self._again)[2])
            self._look(min(end, begin + number / rate) - time.monotonic())

    def _closed_loop(self, end: float) -> None:
        while len(self._open) < self.order.connections:
            self._idle.append(self._connect())
        while (now := time.monotonic()) < end:
            while self._idle:
                self._send(Try(self._kinds[self._sent % len(self._kinds)], now))
            self._look(0.05)

    def _send(self, one: Try) -> None:
        self._sent += 1
        connection = self._free()
        if connection is None:
            self._done(one, UNSENT, _BACKOFF)
            return
        options = self._requests[one.kind]
        connection.under_way = one
        self._deadlines.append((one.due + self.order.timeout, connection, one))
        content = options[self._sent % len(options)]
        if connection.waiting is not None:
            connection.waiting = content
            return
        try:
            connection.socket.send(content)
        except OSError:
            self._close(connection)
            self._done(one, TIMED_OUT, _BACKOFF)

    def _free(self) -> Connection | None:
        if self._idle:
            return self._idle.popleft()
        return self._connect() if len(self._open) < self.order.connections else None

    def _connect(self) -> Connection:
        made = socket.socket()
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.connect_ex(("127.0.0.1", self.order.port))
        connection = self._open[made.fileno()] = Connection(made)
        self._epoll.register(made.fileno(), select.EPOLLIN | select.EPOLLOUT)
        return connection

    def _close(self, connection: Connection) -> None:
        del self._open[connection.socket.fileno()]
        connection.under_way = None
        connection.socket.close()

    def _look(self, seconds: float) -> None:
        """Waits for answers, and gives up what is late."""
        for number, event in self._epoll.poll(max(0.0, seconds), _MOST_EVENTS):
            connection = self._open.get(number)
            if connection is not None and event & select.EPOLLOUT:
                self._connected(connection)
            elif connection is not None:
                self._read(connection)
        now = time.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            _, connection, one = self._deadlines.popleft()
            if connection.under_way is one:
                self._close(connection)
                self._done(one, TIMED_OUT, _BACKOFF)

    def _connected(self, connection: Connection) -> None:
        content, connection.waiting = connection.waiting, None
        self._epoll.modify(connection.socket.fileno(), select.EPOLLIN)
        if content:
            with suppress(OSError):  # what is wrong is seen when it is read
                connection.socket.send(content)

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(_LARGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        one = connection.under_way
        if not data or one is None:
            if connection in self._idle:
                self._idle.remove(connection)
            self._close(connection)
            if one is not None:
                self._done(one, TIMED_OUT, _BACKOFF)
            return
        connection.seen = data = connection.seen + data if connection.seen else data
        if _is_complete(data):
            connection.seen, connection.under_way = b"", None
            self._idle.append(connection)
            self._done(one, int(data[9:12]), _retry_after(data))

    def _done(self, one: Try, status: int, pause: float) -> None:
        now = time.monotonic()
        self.results.append((one.kind, one.due - self.began, now - one.due, status, one.number))
        if status not in GOOD and one.number < self.order.retries:
            due = now + pause
            again = Try(one.kind, due, one.number + 1)
            heapq.heappush(self._again, (due, self._sent, again))
            self._sent += 1


def _is_complete(data: bytes) -> bool:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    place = data.find(b"content-length: ") + 16
    return len(data) >= end + 4 + int(data[place : data.index(b"\r", place)])


def _retry_after(data: bytes) -> float:
    place = data.find(b"retry-after: ")
    return float(data[place + 13 : data.index(b"\r", place)]) if place > 0 else _BACKOFF


def main() -> None:
    """Reads the order, carries it out, writes what became of it."""
    order: dict[str, Any] = json.load(sys.stdin)
    gc.disable()
    with Clients(Order(**order)) as clients:
        clients.run()
    used = time.process_time()
    told = {"began": clients.began, "cpu_seconds": used, "results": clients.results}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
