"""The service as a process of its own, for what can only be seen from outside."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx

START_SECONDS = 60.0
STOP_SECONDS = 60.0
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of http:// only: the certificates httpx would load cost 20 ms of CPU, each time."""


class ServerFailed(AssertionError):
    """The server did not start or did not end well; the message has the end of its log."""


@dataclass
class ServerProcess:
    """A running `kingpost serve`.

    Attributes:
        url: where it listens, such as `http://127.0.0.1:40123`.
        process: the process, for signals.
        log: the file with what it writes.
        database_url: the database that it uses and nobody else.
        ops_url: where `/readyz` and `/metrics` are.
        environ: the settings that it was started with.
        key: an API key with every scope, if the service has keys.
    """

    url: str
    ops_url: str
    process: subprocess.Popen[bytes]
    log: Path
    database_url: str
    environ: Mapping[str, str]
    key: str | None = None
    headers: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rsplit(":", 1)[1])

    def wait_until_ready(self) -> Self:
        """Polls until the server answers that it is ready.

        Returns:
            The server itself.

        Raises:
            ServerFailed: it ended, or was not ready within a minute.
        """
        wait_for(self._is_ready, START_SECONDS, lambda: self._failure("was not ready in time"))
        return self

    def _is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise self._failure("ended instead of serving")
        try:
            ready = httpx.get(f"{self.ops_url}/readyz", timeout=5, trust_env=False, verify=NO_TLS)
            return ready.status_code == 200
        except httpx.TransportError:
            return False

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Asks the server to end and waits for it.

        Args:
            signal_number: how to ask.

        Returns:
            The exit code; negative for a process that died of a signal.

        Raises:
            ServerFailed: it was still running after a minute, and was killed.
        """
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise self._failure("did not end when asked to") from None

    def close(self) -> None:
        """Ends the server with SIGTERM, unless the test has ended it already.

        Raises:
            ServerFailed: the exit code of a server that was still running is not 0.
        """
        if self.process.poll() is None and (code := self.stop()) != 0:
            raise self._failure(f"ended with exit code {code} after SIGTERM")

    def _failure(self, what: str) -> ServerFailed:
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])
        return ServerFailed(f"the server {what}\n{tail}")


def launch(
    root: Path,
    *,
    environ: Mapping[str, str],
    prefix: str,
    database_url: str,
    log: Path,
    key: str | None = None,
) -> ServerProcess:
    """Starts `kingpost serve` for a project on a free port, without waiting for it.

    Args:
        root: the folder of the project.
        environ: the settings, as environment variables; those of this process that begin with
            the prefix are not inherited.
        prefix: of the settings' names.
        database_url: the database, migrated already.
        log: the file for its output.
        key: an API key that the database knows.

    Returns:
        The process.
    """
    port = int(environ.get(f"{prefix}PORT") or free_port())
    settings = {**environ, f"{prefix}PORT": str(port), f"{prefix}DATABASE_URL": database_url}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(prefix)}
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [str(Path(sys.executable).with_name("kingpost")), "serve"],
            cwd=root,
            env=inherited | settings,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    return ServerProcess(
        url=f"http://127.0.0.1:{port}",
        ops_url=f"http://127.0.0.1:{settings.get(f'{prefix}OPS_PORT') or port}",
        process=process,
        log=log,
        database_url=database_url,
        environ=settings,
        key=key,
    )


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(
    condition: Callable[[], bool], seconds: float, failure: Callable[[], BaseException]
) -> None:
    """Polls a condition until it holds.

    Args:
        condition: asked every 20 ms.
        seconds: how long at most.
        failure: makes the exception for when it does not come to hold.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise failure()
        time.sleep(0.02)
