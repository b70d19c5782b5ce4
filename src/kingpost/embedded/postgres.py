"""The embedded server as its users see it."""

import subprocess
from pathlib import Path
from typing import Literal, Self

from kingpost.embedded import process
from kingpost.embedded.account import Account, account_for
from kingpost.embedded.binaries import program
from kingpost.embedded.cluster import CLEAN_ENVIRONMENT, prepare
from kingpost.embedded.errors import EmbeddedError, folder_errors
from kingpost.embedded.locks import SharedLock, exclusive


class EmbeddedPostgres:
    """A PostgreSQL server in a folder, shared by all processes that ask for it.

    The first user starts it, the last one to leave stops it. Each user holds a file lock, which
    the kernel releases when the process is killed; a server left over by that is adopted by the
    next start. It listens on a Unix socket in a private folder only, and is meant for development
    and tests.

    Args:
        folder: where the data, the log and the locks live; made when missing.
        major: major version of PostgreSQL, 16 or 18.
        durable: False switches fsync off, for tests.
    """

    def __init__(self, folder: Path, *, major: int = 18, durable: bool = True) -> None:
        self.folder = folder.resolve()
        self.major = major
        self.durable = durable
        self._users = SharedLock(self.folder / "users.lock")
        self._sockets: Path | None = None

    def start(self) -> None:
        """Makes sure that the server runs, and stays so until `stop`.

        Raises:
            EmbeddedError: it cannot; the message is one line with the way out.
        """
        with folder_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        with exclusive(self.folder / "start.lock"):
            joined = self._users.held
            self._users.acquire()
            try:
                self._ensure_running()
            except BaseException:
                if not joined:
                    self._users.release()
                raise

    def _ensure_running(self) -> None:
        account = self._account()
        data = prepare(self.folder, account, major=self.major, durable=self.durable)
        sockets = process.socket_folder(self.folder, account)
        if not process.adopt(data, sockets, major=self.major):
            process.launch(data, sockets, account, major=self.major, durable=self.durable)
        self._sockets = sockets

    def stop(self) -> None:
        """Leaves the server; the last user to leave stops it. Does nothing when not started."""
        if not self._users.held:
            return
        with exclusive(self.folder / "start.lock"):
            account, sockets = self._account(), self._sockets
            self._sockets = None
            if self._users.release() and sockets is not None:
                process.shut_down(self.folder / "data", sockets, account, major=self.major)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _account(self) -> Account:
        return account_for(self.folder / "data")

    @property
    def is_running(self) -> bool:
        """Whether there is a server process on its data, whoever started it."""
        return process.running_pid(self.folder / "data") is not None

    @property
    def has_data(self) -> bool:
        """Whether its data directory has been made."""
        return (self.folder / "data" / "PG_VERSION").exists()

    @property
    def host(self) -> str:
        """The folder of the socket, which clients take as the host.

        Raises:
            EmbeddedError: not started.
        """
        if self._sockets is None:
            raise EmbeddedError("the embedded PostgreSQL is not started: call start() first")
        return str(self._sockets)

    def url(self, database: str, driver: Literal["asyncpg", "psycopg"] = "asyncpg") -> str:
        """The URL of a database of this server, for SQLAlchemy.

        Args:
            database: name of the database, which need not exist.
            driver: the driver to connect with.

        Returns:
            `postgresql+<driver>://postgres@/<database>?host=<socket folder>`

        Raises:
            EmbeddedError: not started.
        """
        return f"postgresql+{driver}://postgres@/{database}?host={self.host}"

    def bin(self, name: str) -> Path:
        """A client program of the same version.

        Args:
            name: such as `psql` or `pg_dump`.

        Returns:
            The program.

        Raises:
            EmbeddedError: there is no such program.
        """
        return program(name, self.major)

    def databases(self) -> set[str]:
        """The names of all databases but the templates."""
        return set(
            self._sql("SELECT datname FROM pg_database WHERE NOT datistemplate").splitlines()
        )

    def create_database(self, name: str, template: str | None = None) -> None:
        """Makes a database, empty or as a copy of another that nobody is connected to.

        Args:
            name: name of the new database.
            template: name of the database to copy.

        Raises:
            EmbeddedError: with PostgreSQL's reason.
        """
        source = f" TEMPLATE {_quoted(template)}" if template is not None else ""
        self._sql(f"CREATE DATABASE {_quoted(name)}{source}")

    def drop_database(self, name: str) -> None:
        """Drops a database if it exists, with the connections to it.

        Args:
            name: name of the database.

        Raises:
            EmbeddedError: with PostgreSQL's reason.
        """
        self._sql(f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")

    def _sql(self, statement: str) -> str:
        command = [str(self.bin("psql")), "-XqtA", "-h", self.host, "-U", "postgres"]
        done = subprocess.run(  # noqa: S603 - our own program; names are quoted
            [*command, "-v", "ON_ERROR_STOP=1", "-c", statement, "postgres"],
            env=CLEAN_ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise EmbeddedError(" ".join(done.stderr.split()))
        return done.stdout


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
