"""Looks after the processes that serve: starts them, replaces those that die, ends them."""

import select
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog

from kingpost.observability import configure_logging
from kingpost.server.workers.handover import Handover, Taken
from kingpost.server.workers.signals import Signals
from kingpost.server.workers.worker import (
    ASKED_TO_END,
    END,
    LEAVE,
    READY,
    Worker,
    WorkerServer,
    fork,
)
from kingpost.settings import ServiceSettings

TICK_SECONDS = 0.5
SETTLED_SECONDS = 1.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
MOST_FAILURES = 5
EXTRA_SECONDS = 10.0
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

_log = structlog.get_logger("kingpost.server.workers")


class NoWorkerStarts(Exception):
    """One worker after the other died at its start; the message is one line."""


class Supervisor:
    """Has several processes serve the same listening sockets.

    The sockets are its own, so what waits in them survives the death of a worker. Workers are
    forked: what is imported before `run` is shared between them.

    SIGTERM and SIGINT end all workers as they would end a single server; a second SIGINT does
    not wait. SIGHUP replaces the workers one after the other, SIGTERM to a worker replaces it.

    Args:
        app: a factory of the ASGI application, or `module:name` of one.
        settings: of the service.
        listeners: as `open_ports` returned them.
        taken: where the listeners come from, if they were taken over.
    """

    def __init__(
        self,
        app: Any,
        settings: ServiceSettings,
        listeners: list[socket.socket],
        taken: Taken | None = None,
    ) -> None:
        self._app = app
        self._settings = settings
        self._listeners = listeners
        self._taken = taken
        self._workers: list[Worker] = []
        self._due: dict[int, float] = {}
        self._old: list[Worker] = []
        self._signals = Signals(SIGNALS)
        self._failures = 0
        self._end_by: float | None = None
        self._tick = time.monotonic()
        self._offer: Handover | None = None

    def run(self) -> None:
        """Serves until it is told to end, and all workers have ended.

        Raises:
            NoWorkerStarts: the application does not start.
            HandoverError: the path of the handover cannot be used.
        """
        production = self._settings.environment == "production"
        configure_logging(self._settings.log_level, json=production)
        self._folder = Path(tempfile.mkdtemp(prefix="kingpost-workers-"))
        try:
            with self._signals:
                self._due = dict.fromkeys(range(self._settings.workers), 0.0)
                while self._workers or self._due:
                    self._turn()
        finally:
            self._close()
            for worker in self._workers:  # none, unless something unforeseen was raised
                worker.kill()
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._failures >= MOST_FAILURES:
            raise NoWorkerStarts(
                f"no worker starts, {self._failures} have died at it: "
                "the reason is above; with one worker it is easier to see"
            )

    def _turn(self) -> None:
        self._start_due()
        self._wait()
        for number in self._signals.caught():
            self._obey(number)
        for worker in list(self._workers):
            self._hear(worker)
        self._watch()
        self._replace_next()
        if self._offer is not None and self._offer.taken():
            self._hand_over()

    # Starting

    def _start_due(self) -> None:
        now = time.monotonic()
        for slot in [slot for slot, due in self._due.items() if due <= now]:
            del self._due[slot]
            self._start(slot)

    def _start(self, slot: int, replaces: Worker | None = None) -> None:
        worker = fork(slot, lambda wire: self._serve(slot, wire))
        worker.replaces = replaces
        self._workers.append(worker)
        _log.info("worker started", worker=slot, pid=worker.pid)

    def _serve(self, slot: int, wire: socket.socket) -> None:
        """In the new process: what belongs to the supervisor must not stay open here."""
        for worker in self._workers:
            worker.wire.close()
        self._signals.close()
        if self._offer is not None:
            self._offer.close()
        if self._taken is not None:
            self._taken.forget()
        server = WorkerServer(self._app, settings=self._settings)
        server.obey(wire, self._folder if self._settings.workers > 1 else None, slot)
        server.run(self._listeners)

    # Hearing

    def _wait(self) -> None:
        offered = self._offer.wires if self._offer else []
        wires = [self._signals.wire, *offered, *(worker.wire for worker in self._workers)]
        pause = TICK_SECONDS
        if self._due:
            pause = min(pause, max(0.0, min(self._due.values()) - time.monotonic()))
        select.select(wires, [], [], pause)

    def _obey(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._old = [worker for worker in self._workers if not worker.leaving]
        elif number == signal.SIGINT and self._end_by is not None:
            for worker in self._workers:
                worker.kill()
        elif number in (signal.SIGTERM, signal.SIGINT):
            _log.info("ending", workers=len(self._workers))
            self._end(END, self._settings.drain_seconds)

    def _hear(self, worker: Worker) -> None:
        said = worker.heard()
        if READY in said:
            self._on_ready(worker)
        if ASKED_TO_END in said and self._end_by is None and worker not in self._old:
            self._old.append(worker)
        code = worker.exit_code()
        if code is not None:
            self._on_death(worker, code)

    def _on_ready(self, worker: Worker) -> None:
        worker.ready = time.monotonic()
        self._failures = 0
        if worker.replaces is not None:
            worker.replaces.leaving = True
            worker.replaces.tell(LEAVE)
            worker.replaces = None
        if self._end_by is None and len(self._serving()) >= self._settings.workers:
            self._all_ready()

    def _serving(self) -> Sequence[Worker]:
        return [worker for worker in self._workers if worker.ready and not worker.leaving]

    def _all_ready(self) -> None:
        path = self._settings.handover
        if path is not None and self._offer is None:
            self._offer = Handover(path, self._listeners)
        if self._taken is not None:
            self._taken.serving()
            self._taken = None

    # Dying

    def _on_death(self, worker: Worker, code: int) -> None:
        self._workers.remove(worker)
        worker.wire.close()
        if worker.leaving or self._end_by is not None:
            _log.info("worker ended", worker=worker.slot, pid=worker.pid, code=code)
            return
        _log.error("worker died", worker=worker.slot, pid=worker.pid, code=code)
        now = time.monotonic()
        settled = worker.ready is not None and now - worker.ready >= SETTLED_SECONDS
        self._failures += worker.ready is None
        if self._failures >= MOST_FAILURES and not self._serving():
            self._end(END, 0.0)
        elif worker.replaces is not None and worker.replaces in self._workers:
            self._old = []  # the old ones are better than those that do not start
        elif all(other.replaces is not worker for other in self._workers):
            self._due[worker.slot] = now + (0.0 if settled else self._pause())

    def _pause(self) -> float:
        return float(min(FIRST_PAUSE * 2**self._failures, LONGEST_PAUSE))

    def _watch(self) -> None:
        """Kills workers that are blocked, or do not end in time."""
        now = time.monotonic()
        late = now - self._tick - TICK_SECONDS  # we were stopped ourselves, or the machine was
        self._tick = now
        for worker in self._workers:
            worker.seen += max(0.0, late)
            blocked = now - worker.seen > self._settings.worker_timeout
            if self._end_by is not None:
                if now > self._end_by:
                    worker.kill()
            elif worker.ready and not worker.leaving and blocked:
                _log.error("worker is blocked", worker=worker.slot, pid=worker.pid)
                worker.kill()

    # Replacing

    def _replace_next(self) -> None:
        if self._end_by is not None or any(worker.replaces for worker in self._workers):
            return
        while self._old:
            worker = self._old.pop(0)
            if worker in self._workers and not worker.leaving:
                self._start(worker.slot, replaces=worker)
                return

    def _hand_over(self) -> None:
        _log.info("handed over", workers=len(self._workers))
        self._end(LEAVE, self._settings.keep_alive_timeout)

    # Ending

    def _end(self, word: bytes, drain_seconds: float) -> None:
        self._due.clear()
        self._close()  # the last worker that closes it, too, serves who waits there
        for worker in self._workers:
            worker.tell(word)
        patience = drain_seconds + self._settings.shutdown_timeout + EXTRA_SECONDS
        self._end_by = time.monotonic() + patience

    def _close(self) -> None:
        if self._offer is not None:
            self._offer.close()
            self._offer = None
        for listener in self._listeners:
            listener.close()
        self._listeners = []
        if self._taken is not None:
            self._taken.forget()
            self._taken = None
