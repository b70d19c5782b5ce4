import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kingpost.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def initialised() -> Iterator[Path]:
    """An embedded folder whose data directory is there, to be copied: initdb is slow."""
    with tempfile.TemporaryDirectory(prefix="kingpost-test-") as folder:
        server = EmbeddedPostgres(Path(folder) / "pg", durable=False)
        server.start()
        server.create_database("app")
        server.stop()
        yield Path(folder) / "pg"


@pytest.fixture
def folder(initialised: Path, tmp_path: Path) -> Iterator[Path]:
    """An embedded folder with data; whatever runs there is stopped after the test."""
    target = tmp_path / "pg"
    shutil.copytree(initialised, target)
    source = (initialised / "data").stat()
    if os.geteuid() == 0:
        for path in (target / "data", *(target / "data").rglob("*")):
            os.chown(path, source.st_uid, source.st_gid)
    yield target
    if (target / "data" / "PG_VERSION").exists():
        (target / "data" / "PG_VERSION").write_text("18\n")
        server = EmbeddedPostgres(target, durable=False)
        server.start()
        server.stop()


class Sharer:
    """Another process that uses the server until it is told to leave, or killed."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(SHARER), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "started\n"

    def leave(self) -> None:
        self.process.communicate("leave\n")
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


SHARER = """
    import sys
    from pathlib import Path
    from kingpost.embedded import EmbeddedPostgres

    with EmbeddedPostgres(Path(sys.argv[1]), durable=False):
        print("started", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture
def sharer(folder: Path) -> Iterator[Callable[[], Sharer]]:
    started: list[Sharer] = []

    def start() -> Sharer:
        started.append(Sharer(folder))
        return started[-1]

    yield start
    for one in started:
        with suppress(ProcessLookupError, ValueError):
            one.kill()
