"""Databases for tests: a migrated template, copies of it, and emptying them."""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

import kingpost
from kingpost.embedded import EmbeddedPostgres

T = TypeVar("T")
TEMPLATE = "template_"
COPY = "test_"

_TABLES = """
    SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_catalog.pg_tables
    WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'
      AND tablename <> 'alembic_version'
"""


def execute(url: str, *statements: str) -> list[Row[Any]]:
    """Runs statements one after the other, each in its own transaction, outside any event loop.

    Args:
        url: of the database, with either driver.
        *statements: the SQL, without parameters.

    Returns:
        The rows of the last statement, or nothing if it has none.
    """
    return in_own_loop(lambda: _execute(url, statements))


def in_own_loop(use: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs a coroutine to its end from code that is not async, even below a running loop.

    Args:
        use: makes the coroutine.

    Returns:
        What the coroutine returns.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(lambda: asyncio.run(use())).result()


async def _execute(url: str, statements: tuple[str, ...]) -> list[Row[Any]]:
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            rows: list[Row[Any]] = []
            for statement in statements:
                result = await connection.exec_driver_sql(
                    statement, execution_options={"no_parameters": True}
                )
                rows = list(result) if result.returns_rows else []
            return rows
    finally:
        await engine.dispose()


class Databases:
    """The databases of one test process on a server that several processes share.

    Args:
        server: the running server.
    """

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._made = 0

    def template(self, migrations: Path, build: Callable[[str], None]) -> str:
        """The database that all migrations were applied to, built if there is none yet.

        Its name has the hash of the migrations in it: as long as they stay as they are, the next
        run finds it ready.

        Args:
            migrations: the folder of the migrations.
            build: migrates the empty database whose name it is given.

        Returns:
            The name of the template.
        """
        ours = f"{TEMPLATE}{_digest(str(migrations.resolve()).encode())[:6]}_"
        name = ours + fingerprint(migrations)
        with self._locked():
            if name not in self._server.databases():
                self._drop_unused(ours)
                building = f"{name}_building"
                self._server.drop_database(building)  # of a run that failed here
                self._server.create_database(building)
                build(building)
                self._server.create_database(name, building)  # appears only when complete
                self._server.drop_database(building)
        return name

    @contextmanager
    def copy(self, template: str | None = None) -> Iterator[str]:
        """A database of its own, dropped after the block.

        Args:
            template: what it is a copy of; without it the database is empty.

        Yields:
            The name of the database.
        """
        self._made += 1
        name = f"{COPY}{os.getpid()}_{self._made}"
        self._server.drop_database(name)
        self._server.create_database(name, template)
        try:
            yield name
        finally:
            self._server.drop_database(name)

    def drop_abandoned(self) -> None:
        """Drops the copies of test processes that were killed."""
        for name in self._server.databases():
            if name.startswith(COPY) and not _alive(_owner(name)):
                self._server.drop_database(name)

    def _drop_unused(self, templates: str) -> None:
        """Drops templates of older migrations, unless another test run may still copy them."""
        names = self._server.databases()
        if any(name.startswith(COPY) and _owner(name) != os.getpid() for name in names):
            return
        for name in names:
            if name.startswith(templates):
                self._server.drop_database(name)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._server.folder / "template.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def empty(url: str) -> None:
    """Takes all rows out of a database, but leaves its schema and its revision.

    Triggers do not fire: a table that is append-only in production is emptied like the others.

    Args:
        url: of the database.
    """
    in_own_loop(lambda: _empty(url))


async def _empty(url: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            tables = (await connection.exec_driver_sql(_TABLES)).scalars().all()
            probes = [f"(SELECT 1 FROM {table} LIMIT 1)" for table in tables]  # noqa: S608 - quoted by PostgreSQL
            if tables and (await connection.exec_driver_sql(" UNION ALL ".join(probes))).first():
                await connection.exec_driver_sql("SET session_replication_role = replica")
                await connection.exec_driver_sql(
                    f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE"
                )
    finally:
        await engine.dispose()


def fingerprint(migrations: Path) -> str:
    """A name for what the migrations make of an empty database.

    The library's own sources count too, since migrations call it, for the protection of the
    audit table for one.

    Args:
        migrations: the folder of the migrations.

    Returns:
        Twelve hexadecimal digits.
    """
    library = Path(kingpost.__file__).parent
    content = bytearray()
    for folder in (migrations, library / "database", library / "migrations"):
        for file in sorted(folder.rglob("*.py")):
            content += str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes()
    return _digest(content)[:12]


def _digest(content: bytes | bytearray) -> str:
    return hashlib.sha256(content).hexdigest()


def _owner(copy: str) -> int:
    return int(copy.removeprefix(COPY).partition("_")[0])


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
