"""One server for each major version: the two that are embedded, and another that is installed."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.kingpost.migrations.hazards.case import Case

from kingpost.embedded import EmbeddedPostgres
from kingpost.embedded.account import account_for
from kingpost.embedded.cluster import CLEAN_ENVIRONMENT
from kingpost.migrations.rehearsal.rehearse import Options, Script, rehearse_script
from kingpost.migrations.rehearsal.report import Report

EMBEDDED = (18, 16)
INSTALLED = Path("/usr/lib/postgresql")


class NotInstalled(Exception):
    """There is no server of this major version here."""


class Servers:
    """Rehearses cases; starts each server when it is asked for first.

    Args:
        folder: for their data.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._known: dict[int, dict[str, Any]] = {}

    def __enter__(self) -> "Servers":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def rehearse(self, case: Case, major: int, rows: int = 1000) -> Report:
        """Rehearses a case without the pass under live traffic.

        Raises:
            NotInstalled: neither embedded nor installed.
        """
        where = self._server(major)
        script = Script(
            case.name,
            case.schema,
            case.change,
            case.data,
            case.undo,
            case.traffic,
            every_column=True,
        )
        options = Options(rows=rows, major=major, live=False, url=where.get("url"))
        return rehearse_script(script, options, server=where.get("server"))

    def _server(self, major: int) -> dict[str, Any]:
        if major not in self._known:
            folder = self._folder / str(major)
            if major in EMBEDDED:
                made = EmbeddedPostgres(folder, major=major, durable=False)
                self._known[major] = {"server": self._stack.enter_context(made)}
            else:
                self._known[major] = {"url": self._stack.enter_context(_installed(folder, major))}
        return self._known[major]


@contextmanager
def _installed(folder: Path, major: int) -> Iterator[str]:
    """A server of the distribution, with data of its own."""
    programs = INSTALLED / str(major) / "bin"
    if not (programs / "initdb").exists():
        raise NotInstalled(f"there is no PostgreSQL {major} in {programs}")
    folder.mkdir(parents=True)
    account = account_for(folder / "data")
    account.give(folder)

    def run(name: str, *arguments: str) -> None:
        subprocess.run(
            [*account.prefix, str(programs / name), "-D", str(folder / "data"), *arguments],
            env=CLEAN_ENVIRONMENT,
            cwd="/",
            stdout=subprocess.DEVNULL,
            check=True,
        )

    run("initdb", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "-N")
    settings = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", settings, "start")
    try:
        yield f"postgresql+asyncpg://postgres@/postgres?host={folder}"
    finally:
        run("pg_ctl", "-w", "-m", "fast", "stop")
