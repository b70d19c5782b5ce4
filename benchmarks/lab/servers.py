"""A server under test: one process (tree) on one core, ended whatever happens."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.lab import accounting
from benchmarks.lab.machine import pinned

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0


class ServerFailed(RuntimeError):
    """The server did not start; the message has the end of what it wrote."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of a server.

    Attributes:
        status: the HTTP status.
        body: as it came.
    """

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        process: the process started.
        port: where it listens, on 127.0.0.1.
        log: the file that has all it writes.
    """

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    def cpu_seconds(self) -> float:
        """CPU time used so far, by its children too."""
        return accounting.cpu_seconds(self.process.pid)

    def memory(self) -> accounting.Memory:
        """Memory used now, by its children too."""
        return accounting.memory(self.process.pid)

    def ask(
        self,
        method: str,
        path: str,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends one request on a connection of its own; a body is JSON.

        Raises:
            OSError: there is no answer within ten seconds.
        """
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        content = {"Content-Type": "application/json"} if body else {}
        try:
            connection.request(method, path, body and body.encode(), {**(headers or {}), **content})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())
        finally:
            connection.close()

    def wait_until_it_listens(self) -> None:
        """Waits until it accepts connections.

        Raises:
            ServerFailed: it ended, or did not listen within a minute.
        """
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise self._failure("ended instead of serving")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise self._failure("did not listen in time")

    def wait_until_idle(self, seconds: float = 3.0) -> None:
        """Waits until it uses no CPU for a moment: what an ended load left behind is done."""
        deadline = time.monotonic() + seconds
        before = self.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(0.1)
            now = self.cpu_seconds()
            if now - before < 0.011:  # one tick
                return
            before = now

    def _failure(self, what: str) -> ServerFailed:
        return ServerFailed(f"{what}:\n{self.log.read_text(errors='replace')[-1500:].strip()}")


@contextmanager
def serving(
    command: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    port: int,
    core: int,
    log: Path,
) -> Iterator[Server]:
    """Starts a server, waits until it listens, and ends it with all its children.

    Args:
        command: program and arguments; it must stay in the foreground.
        folder: where it is started.
        environ: variables on top of our own.
        port: where it will listen.
        core: the CPU core that it may use.
        log: file for all it writes.

    Yields:
        The server.

    Raises:
        ServerFailed: it did not start.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us, who then end it in order
            preexec_fn=pinned(core),
        )
    server = Server(process, port, log)
    try:
        server.wait_until_it_listens()
        yield server
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    for signal_number, seconds in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, 10.0)):
        try:
            os.killpg(process.pid, signal_number)
            process.wait(seconds)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
