"""The service as a process of its own, of the code as it is or as a commit has it."""

import http.client
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from kingpost.migrations.rehearsal.server import RehearsalError
from kingpost.project import Project

_START_SECONDS = 120.0
_STOP_SECONDS = 20.0
_MOST_OF_LOG = 10_000_000
_KEY = re.compile(r"^key\s+(\S+)$", re.MULTILINE)


class ServiceFailed(RehearsalError):
    """The service cannot be started; the message says what it wrote last."""


@contextmanager
def code_of(project: Project, revision: str | None) -> Iterator[Path]:
    """The project's folder as a commit has it.

    Args:
        project: in a git repository, unless `revision` is None.
        revision: what git calls it, such as a tag; None for the code as it is.

    Yields:
        A folder, for a commit a temporary one.

    Raises:
        ServiceFailed: git does not know the revision, or there is no git.
    """
    if revision is None:
        yield project.root
        return
    prefix = git(project.root, "rev-parse", "--show-prefix").strip()
    with tempfile.TemporaryDirectory(prefix="kingpost-old-") as folder:
        tree = Path(folder) / "code"
        git(project.root, "worktree", "add", "--detach", "--quiet", str(tree), revision)
        try:
            yield tree / prefix
        finally:
            git(project.root, "worktree", "remove", "--force", str(tree))


def git(root: Path, *arguments: str) -> str:
    """Runs git.

    Args:
        root: the folder it works in.
        *arguments: of git.

    Returns:
        What it wrote to its standard output.

    Raises:
        ServiceFailed: it failed, or there is none.
    """
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            ["git", "-C", str(root), *arguments],  # noqa: S607 - whichever git the user has
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError:
        raise ServiceFailed("git is not installed: it is needed for the old code") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or [f"git {arguments[0]} failed"]
        raise ServiceFailed(f"{lines[-1]}: give a revision of the project's repository") from None
    return done.stdout


class Child:
    """A running `kingpost serve`, on a free port of this machine.

    Args:
        project: whose service it is.
        root: the folder with its code.
        url: of its database.
    """

    def __init__(self, project: Project, root: Path, url: str) -> None:
        self._root = root
        self.port = _free_port()
        self._environ = _environ(project, root, url, self.port)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._process: subprocess.Popen[bytes] | None = None
        self.headers: dict[str, str] = {}

    def __enter__(self) -> Self:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-c", _program()],
                cwd=self._root,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
            )
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()

    def _wait(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process is None or self._process.poll() is not None:
                raise ServiceFailed(f"the service does not start: {self._last_line()}")
            if time.monotonic() > end:
                raise ServiceFailed(f"the service does not answer: {self._last_line()}")
            time.sleep(0.02)
        if key := _KEY.search(self._written()):
            self.headers = {"Authorization": f"Bearer {key[1]}"}

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/openapi.json")
            connection.getresponse().read()
        except OSError:
            return False
        finally:
            connection.close()
        return True

    def _last_line(self) -> str:
        lines = self._written().strip().splitlines()
        return lines[-1] if lines else "it wrote nothing"

    def _written(self) -> str:
        return os.pread(self._log.fileno(), _MOST_OF_LOG, 0).decode(errors="replace")


def _environ(project: Project, root: Path, url: str, port: int) -> Mapping[str, str]:
    prefix = project.env_prefix
    wanted = {"environment": "test", "secret": secrets.token_urlsafe(40), "log_level": "warning"}
    wanted |= {"database_url": url, "port": str(port)}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(prefix)}
    source = root / "src" if (root / "src").is_dir() else root
    return (
        inherited
        | {f"{prefix}{name.upper()}": value for name, value in wanted.items()}
        | {"PYTHONPATH": str(source)}
    )


def _program() -> str:
    return Path(__file__).with_name("child_program.py").read_text(encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
