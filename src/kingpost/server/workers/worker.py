"""One of several processes that serve, and the wire between it and the supervisor."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from kingpost.server.server import Server
from kingpost.server.workers.scrape import Scrape

READY, ALIVE, ASKED_TO_END = b"r", b"a", b"t"  # said by a worker
END, LEAVE = b"e", b"l"  # said to it


@dataclass(slots=True, eq=False)
class Worker:
    """What the supervisor knows of a worker.

    Attributes:
        slot: its number, from 0; the one that replaces it has the same.
        pid: of its process.
        wire: to talk to it.
        replaces: the worker that leaves when this one is ready.
        ready: since when it serves, of the monotonic clock; None while it starts.
        seen: when it was last heard of.
        leaving: it was told to leave.
    """

    slot: int
    pid: int
    wire: socket.socket
    replaces: "Worker | None" = None
    ready: float | None = None
    seen: float = 0.0
    leaving: bool = False

    def tell(self, word: bytes) -> None:
        """Sends `END` or `LEAVE`."""
        with contextlib.suppress(OSError):  # it is gone, as will be noticed
            self.wire.send(word)

    def heard(self) -> bytes:
        """What it has said since."""
        try:
            said = self.wire.recv(4096)
        except OSError:
            return b""
        self.seen = time.monotonic() if said else self.seen
        return said

    def kill(self) -> None:
        """Ends it at once."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def exit_code(self) -> int | None:
        """How it ended; minus the signal if one killed it, None while it lives."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None


def fork(slot: int, serve: Callable[[socket.socket], None]) -> Worker:
    """Starts a worker.

    Args:
        slot: its number.
        serve: runs in the new process, with its end of the wire.

    Returns:
        The worker.
    """
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _run(serve, theirs)
    theirs.close()
    ours.setblocking(False)
    return Worker(slot, pid, ours, seen=time.monotonic())


def _run(serve: Callable[[socket.socket], None], wire: socket.socket) -> NoReturn:
    code = 1
    try:
        # Signals to the whole group also reach the supervisor, which says what is to be done.
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, lambda *_: _say(wire, ASKED_TO_END))
        serve(wire)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - it must not get back into the supervisor's code
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        os._exit(code)


def _say(wire: socket.socket, word: bytes) -> None:
    with contextlib.suppress(OSError):
        wire.send(word, socket.MSG_DONTWAIT)  # a supervisor that was stopped blocks nobody


class WorkerServer(Server):
    """A server that does what its supervisor says, and ends when there is none any more."""

    def obey(self, wire: socket.socket, folder: Path | None, slot: int) -> None:
        """Listens to the supervisor from now on.

        Args:
            wire: to it.
            folder: where the workers show each other their metrics; None if it is the only one.
            slot: its number.
        """
        self._wire = wire
        self._folder, self._slot = folder, slot
        self.config.callback_notify = self._beat
        self.config.timeout_notify = 0
        threading.Thread(target=self._listen, name="supervisor", daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while word := self._wire.recv(1):
                if word == LEAVE:
                    self.leave()
                else:
                    self.end()
        self._end_alone()

    def _end_alone(self) -> None:
        """The supervisor was killed: frees the port, answers what was begun, and ends."""
        settings = self.settings
        self.settings = settings.model_copy(update={"drain_seconds": 0.0})
        self.end()
        time.sleep(settings.shutdown_timeout if self.started else 0)
        os._exit(1)

    async def _beat(self) -> None:
        _say(self._wire, ALIVE)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, and says so."""
        state = self.config.state
        if self._folder is not None and state is not None:
            scrape = Scrape(self._folder, self._slot, state.metrics.render)
            await scrape.start()
            state.render_all = scrape.render_all
        await super().startup(sockets)
        _say(self._wire, READY)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leaves signals as they are: the supervisor gets them."""
        yield
