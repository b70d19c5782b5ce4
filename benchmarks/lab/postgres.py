"""PostgreSQL for a benchmark: the embedded one, durable, on its own core, with its own data."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.lab import accounting
from benchmarks.lab.machine import ROOT
from kingpost.embedded import EmbeddedPostgres

_SEED = Path(__file__).with_name("seed.sql")
_FOLDERS = ROOT / ".servers" / "benchmarks"


class DatabaseFailed(RuntimeError):
    """A statement or the migrations failed; the message has PostgreSQL's reason."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server for benchmarks.

    Attributes:
        embedded: the server.
        database: name of the database that holds the service's tables.
    """

    embedded: EmbeddedPostgres
    database: str = "benchmark"

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        return int((self.embedded.folder / "data/postmaster.pid").read_text().split()[0])

    def cpu_seconds(self) -> float:
        """CPU time used so far by all its processes, ended connections included."""
        return accounting.cpu_seconds(self.pid)

    def url(self, driver: Literal["asyncpg", "psycopg"]) -> str:
        """The URL for SQLAlchemy and Kingpost."""
        return self.embedded.url(self.database, driver)

    @property
    def environment(self) -> dict[str, str]:
        """PGHOST and so on, as libpq, asyncpg and node-postgres read them."""
        return {
            "PGHOST": self.embedded.host,
            "PGPORT": "5432",
            "PGDATABASE": self.database,
            "PGUSER": "postgres",
        }

    def sql(self, statement: str) -> list[list[str]]:
        """Runs a statement in psql.

        Returns:
            The rows, each value as text.

        Raises:
            DatabaseFailed: with PostgreSQL's reason.
        """
        output = self._psql("-c", statement)
        return [line.split("\x1f") for line in output.splitlines()]

    def migrate(self) -> None:
        """Makes the tables of the service by its own migrations."""
        command = [str(Path(sys.executable).with_name("alembic")), "upgrade", "head"]
        environ = os.environ | {"APP_DATABASE_URL": self.url("asyncpg")}
        _run(command, environ)

    def seed(self, *, users: int, posts: int) -> None:
        """Fills users and posts; see `seed.sql`."""
        self.script(_SEED, users=users, posts=posts)

    def script(self, file: Path, **values: object) -> None:
        """Runs a file in psql.

        Args:
            file: of SQL.
            **values: of the psql variables in it.

        Raises:
            DatabaseFailed: with PostgreSQL's reason.
        """
        given = (part for name, value in values.items() for part in ("-v", f"{name}={value}"))
        self._psql(*given, "-f", str(file))

    def _psql(self, *arguments: str) -> str:
        command = [str(self.embedded.bin("psql")), "-XqtA", "-F", "\x1f", "-v", "ON_ERROR_STOP=1"]
        return _run([*command, *arguments], os.environ | self.environment)


def _run(command: list[str], environ: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise DatabaseFailed(done.stderr.strip()[-1000:])
    return done.stdout


@contextmanager
def running(core: int) -> Iterator[Postgres]:
    """Starts PostgreSQL in a new folder with an empty database; both are gone afterwards.

    Commits reach the disk as in production. All its processes stay on one core.

    Args:
        core: the CPU core that it may use.

    Yields:
        The server.
    """
    _FOLDERS.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=_FOLDERS))
    try:
        with EmbeddedPostgres(folder, durable=True) as embedded:
            postgres = Postgres(embedded)
            for pid in accounting.tree(postgres.pid):
                os.sched_setaffinity(pid, {core})  # and every backend inherits it
            embedded.create_database(postgres.database)
            yield postgres
    finally:
        shutil.rmtree(folder, ignore_errors=True)
