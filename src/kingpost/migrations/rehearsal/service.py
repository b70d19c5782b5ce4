"""The service's own HTTP application as the traffic of a rehearsal."""

import http.client
import json
import threading
import time
from collections.abc import Mapping, Set
from contextlib import ExitStack
from typing import Any, Self

from kingpost.migrations.rehearsal.child import Child, code_of
from kingpost.migrations.rehearsal.live import seen
from kingpost.migrations.rehearsal.probing import OwnLoop
from kingpost.migrations.rehearsal.report import Live, Sample, TrafficError, Version
from kingpost.migrations.rehearsal.requests import Answer, Round
from kingpost.migrations.rehearsal.timing import ALWAYS, Window
from kingpost.migrations.rehearsal.waiting import Waiting
from kingpost.project import Project

_CLIENTS = 2
_PAUSE = 0.02
_LONGEST = 600.0
_PATIENCE = 65.0
_OF_OTHERS = {404, 409, 412, 429}
"""What a client sees when another one has changed or deleted the same, or sends too much."""


class ServiceTraffic:
    """Serves a project and sends requests that are derived from its OpenAPI document.

    A failure is a status that the same request did not give before the change. In the background
    clients send all the time; `check` sends everything once.

    Args:
        project: the service.
        url: of its database, migrated as the code needs it.
        revision: of git, whose code is served; None for the code as it is.
        application_name: with which the names of the connections that make the change begin;
            without it nobody looks who waits for them.
        background: whether clients send all the time.
    """

    def __init__(
        self,
        project: Project,
        url: str,
        revision: str | None,
        *,
        application_name: str = "",
        background: bool = True,
    ) -> None:
        self._project, self._url, self._revision = project, url, revision
        self._background, self._change = background, application_name
        self._waiting = Waiting(url, application_name, "", self.clock, str)
        self._stack = ExitStack()
        self._stop = threading.Event()
        self._began = time.perf_counter()
        self._known: dict[str, set[int]] = {}
        self._samples: list[Sample] = []
        self._recorded: list[tuple[int, float, float]] = []

    def __enter__(self) -> Self:
        try:
            root = self._stack.enter_context(code_of(self._project, self._revision))
            self._child = self._stack.enter_context(Child(self._project, root, self._url))
            self._client = self._stack.enter_context(_Client(self._child))
            self._document = self._client.send("GET", "/openapi.json").body
            for client in range(_CLIENTS):
                self._learn(client)
            self._began = time.perf_counter()
            self._stack.callback(self._end, self._start() if self._background else [])
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def clock(self) -> float:
        """Milliseconds since the traffic began."""
        return (time.perf_counter() - self._began) * 1000

    def record(self, index: int, began_ms: float, ended_ms: float) -> None:
        """Notes when a statement of the change ran.

        Args:
            index: of the statement, in the order sent.
            began_ms: by `clock`.
            ended_ms: by `clock`.
        """
        self._recorded.append((index, began_ms, ended_ms))

    @property
    def requests(self) -> tuple[str, ...]:
        """What is sent, such as `GET /things/{id}`."""
        return tuple(sorted(self._known))

    @property
    def statuses(self) -> Mapping[str, Set[int]]:
        """The statuses of HTTP that each of them was answered with before the change."""
        return self._known

    @property
    def busy(self) -> bool:
        """Whether anything is sent in the background."""
        return self._background

    @property
    def sent(self) -> int:
        """How many requests of the background have been answered so far."""
        return len(self._samples)

    def check(self, *, version: Version = "old", undo: bool = False) -> tuple[TrafficError, ...]:
        """Sends everything once; what fails, twice.

        Args:
            version: which one is served.
            undo: whether the way back has been gone.

        Returns:
            The failures that the same request did not have at first.
        """
        found: list[TrafficError] = []

        def send(
            label: str, method: str, path: str, body: Any, headers: Mapping[str, str]
        ) -> Answer:
            answer = self._client.send(method, path, body, headers)
            if self._fails(label, answer.status):
                again = self._client.send(method, path, body, headers)
                heals = not self._fails(label, again.status)
                said = _said(answer)
                found.append(TrafficError(str(answer.status), said, label, version, undo, heals))
                return again
            return answer

        Round(self._document, send).run()
        return tuple(found)

    @property
    def refused(self) -> tuple[TrafficError, ...]:
        """Requests that failed from the beginning, with a status of 500 or more: a new version."""
        return tuple(
            TrafficError(str(max(known)), "on the new schema", label, version="new")
            for label, known in self._known.items()
            if max(known) >= 500
        )

    def result(self, window: Window = ALWAYS) -> Live:
        """What the background has seen; to be asked after the block.

        Args:
            window: what began in it, in milliseconds by `clock`.
        """
        words = f"{len(self._known)} kinds of requests to the service"
        return seen(self._samples, self._recorded, self._waiting.seen(), window, words)

    def _learn(self, client: int) -> None:
        def send(
            label: str, method: str, path: str, body: Any, headers: Mapping[str, str]
        ) -> Answer:
            answer = self._client.send(method, path, body, headers)
            self._known.setdefault(label, set()).add(answer.status)
            return answer

        Round(self._document, send, client).run()

    def _fails(self, label: str, status: int) -> bool:
        known = self._known.get(label, set())
        return status not in known and not (200 <= status < 300)

    def _start(self) -> list[threading.Thread]:
        threads = [
            threading.Thread(target=self._work, args=(client,), daemon=True)
            for client in range(_CLIENTS)
        ]
        threads += [threading.Thread(target=self._watch, daemon=True)] if self._change else []
        for thread in threads:
            thread.start()
        return threads

    def _end(self, threads: list[threading.Thread]) -> None:
        self._stop.set()
        for thread in threads:
            thread.join()

    def _over(self) -> bool:
        return self._stop.is_set() or self.clock() > _LONGEST * 1000

    def _work(self, client: int) -> None:
        with _Client(self._child) as connection:

            def send(
                label: str, method: str, path: str, body: Any, headers: Mapping[str, str]
            ) -> Answer:
                began = self.clock()
                answer = connection.send(method, path, body, headers)
                fails = self._fails(label, answer.status) and answer.status not in _OF_OTHERS
                failed = str(answer.status) if fails else ""
                self._samples.append(Sample(began, self.clock() - began, label, failed))
                time.sleep(_PAUSE)
                return answer

            repeated = Round(self._document, send, client)
            while not self._over():
                repeated.run()

    def _watch(self) -> None:
        loop = OwnLoop()

        async def watch() -> None:
            await self._waiting.watch(self._over)
            await self._waiting.close()

        try:
            loop.run(watch)
        finally:
            loop.close()


class _Client:
    """One connection that is kept open, and made again when it breaks."""

    def __init__(self, child: Child) -> None:
        self._headers = {"Accept": "application/json", **child.headers}
        self._connection = http.client.HTTPConnection("127.0.0.1", child.port, timeout=_PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Sends a request; a connection that breaks gives status 0."""
        sent = {**self._headers, **(headers or {})}
        content = None
        if body is not None:
            content, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        try:
            self._connection.request(method, path, content, sent)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return Answer(0, {"title": str(error) or type(error).__name__})
        return Answer(answer.status, _parsed(text), answer.headers.get("ETag", ""))


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _said(answer: Answer) -> str:
    """The title and detail of a problem (RFC 9457), or the reason of the status."""
    body = answer.body if isinstance(answer.body, dict) else {}
    told = [str(body[name]) for name in ("title", "detail") if body.get(name)]
    return ": ".join(told) or http.client.responses.get(answer.status, "no answer")
