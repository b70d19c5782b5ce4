"""A PostgreSQL of a module's own, on a TCP port of loopback, which can be hurt in every way."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy.engine import Row
from sqlalchemy.exc import DBAPIError

from kingpost.embedded.account import account_for
from kingpost.embedded.binaries import program
from kingpost.embedded.cluster import CLEAN_ENVIRONMENT, prepare
from kingpost.embedded.process import private_folder, running_pid
from kingpost.testing.databases import execute
from kingpost.testing.process import free_port, wait_for

T = TypeVar("T")
MAJOR = 18
MAX_CONNECTIONS = 60
PASSWORD = "canary-password-of-the-database"
"""In every URL, so that a log which shows it is found out; the server trusts loopback."""
ROLE = "service"
"""An ordinary role, for the service; the rig itself is a superuser."""


class Guests:
    """What lives on a server from one test to the next: one at a time, and it ends first."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._key: object = None
        self._guest: Any = None

    def take(self, key: object, enter: Callable[[], AbstractContextManager[T]]) -> T:
        """The one with this key; if another one is there, that ends and this is made."""
        if self._key != key:
            self.close()
            self._guest = self._stack.enter_context(enter())
            self._key = key
        guest: T = self._guest
        return guest

    def close(self) -> None:
        """Ends it."""
        self._key = self._guest = None
        self._stack.close()


class PostgresServer:
    """A durable server: it may be killed, stopped, frozen, and started again on the same data.

    Args:
        folder: a short path of its own, for data, socket and log.
        log: the file for what it writes, if it has to be elsewhere.

    Attributes:
        port: on 127.0.0.1, the same after each start.
        guests: what lives on it.
    """

    def __init__(self, folder: Path, log: Path | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self._account = account_for(folder / "data")
        self.log = log or folder / "log"
        self.guests = Guests()
        self.data = prepare(folder, self._account, major=MAJOR, durable=True)

    def url(
        self,
        database: str,
        driver: str = "asyncpg",
        port: int | None = None,
        *,
        role: str = "postgres",
    ) -> str:
        """The URL of a database, by way of a proxy if its port is given."""
        where = f"{role}:{PASSWORD}@127.0.0.1:{port or self.port}"
        return f"postgresql+{driver}://{where}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> list[Row[Any]]:
        """Runs a statement on a connection of its own."""
        return execute(self.url(database), statement)

    def start(self) -> None:
        """Starts the server and waits until it accepts connections, after recovery if need be."""
        sockets = self.folder / "sockets"
        private_folder(sockets, self._account)
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={self.port}"
            f" -c unix_socket_directories={sockets} -c logging_collector=off"
            f" -c max_connections={MAX_CONNECTIONS} -c shared_buffers=16MB"
        )
        self._control("-w", "-t", "60", "-l", str(self.log), "-o", options, "start")

    def start_if_down(self) -> None:
        """As the operator would: starts a server that could not come up again by itself."""
        wait_for(
            lambda: self.pid() is None or self._answers(),
            60,
            lambda: AssertionError("the server neither recovers nor gives up"),
        )
        if self.pid() is None:
            self.start()

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stops the server: `fast` rolls back and writes all out, `immediate` is a crash."""
        if self.pid() is not None:
            self._control("-w", "-m", mode, "stop")

    def pid(self) -> int | None:
        """The process id of the postmaster, if it runs."""
        return running_pid(self.data)

    def kill(self) -> None:
        """SIGKILL for the postmaster; its children end by themselves, and this waits for that."""
        family = self.family()
        os.kill(family[0], signal.SIGKILL)
        wait_for(
            lambda: not any(_runs(pid) for pid in family),
            30,
            lambda: AssertionError("children of the killed postmaster live on"),
        )
        # Until its parent has fetched its exit code, the next one would think that it lives.
        for left in (self.data / "postmaster.pid", *(self.folder / "sockets").glob(".*.lock")):
            left.unlink(missing_ok=True)

    def kill_backend(self, database: str) -> None:
        """SIGKILL for one backend: the server restarts all the others, and this waits for that."""
        found: list[int] = []
        wait_for(
            lambda: bool(found.extend(self._backends(database)) or found),
            30,
            lambda: AssertionError("nobody is connected"),
        )
        os.kill(found[0], signal.SIGKILL)
        wait_for(lambda: not _runs(found[0]), 30, lambda: AssertionError("it lives on"))
        wait_for(self._answers, 60, lambda: AssertionError("the server has not recovered"))

    def _backends(self, database: str) -> list[int]:
        found = self.sql(
            f"SELECT pid FROM pg_stat_activity WHERE datname = '{database}'"  # noqa: S608 - our own name
            " AND backend_type = 'client backend' ORDER BY state <> 'active', random()"
        )
        return [pid for (pid,) in found]

    def _answers(self) -> bool:
        try:
            return bool(self.sql("SELECT 1"))
        except (DBAPIError, OSError):
            return False

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """SIGSTOP for the postmaster and all of its children, SIGCONT after the block."""
        stopped: list[int] = []
        try:
            # The postmaster is the first, and may have had another child until it stood still.
            while new := [pid for pid in self.family() if pid not in stopped]:
                _signal(new, signal.SIGSTOP)
                stopped += new
            yield
        finally:
            _signal(stopped, signal.SIGCONT)

    def family(self) -> list[int]:
        """The process ids of the postmaster and of all its children."""
        postmaster = self.pid()
        assert postmaster is not None, "the server does not run"
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]

    def close(self) -> None:
        """Ends the server, however it is."""
        if self.pid() is not None:
            self.stop("immediate")

    def _control(self, *arguments: str) -> None:
        command = [str(program("pg_ctl", MAJOR)), "-D", str(self.data), *arguments]
        done = subprocess.run(
            [*self._account.prefix, *command],
            env=CLEAN_ENVIRONMENT,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        told = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
        assert done.returncode == 0, f"pg_ctl {arguments[-1]}: {done.stderr}\n{told}"


def _signal(processes: Iterable[int], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a path that leaves room for that of a socket; it is gone after the block."""
    folder = Path(tempfile.mkdtemp(prefix="kpf", dir="/tmp"))
    folder.chmod(0o755)  # the account that the server runs as has to come in
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres_server(folder: Path, log: Path | None = None) -> Iterator[PostgresServer]:
    """A running server that is gone after the block."""
    server = PostgresServer(folder, log)
    try:
        server.start()
        yield server
    finally:
        server.guests.close()
        server.close()
