"""File locks between processes; the kernel releases them when a process dies, however it dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kingpost.embedded.errors import EmbeddedError, folder_errors

_PATIENCE = 120.0  # seconds; another process may be creating the data directory


class SharedLock:
    """Says "I use the server": held by every user, exclusively by the one who stops it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """True between `acquire` and `release`."""
        return self._descriptor is not None

    def acquire(self) -> None:
        """Joins the users; does nothing when joined already."""
        if self._descriptor is None:
            self._descriptor = _open(self._path)
            _wait(self._descriptor, fcntl.LOCK_SH, self._path)

    def release(self) -> bool:
        """Leaves the users.

        Returns:
            True when nobody is left.
        """
        if self._descriptor is None:
            return False
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return True
        finally:
            os.close(self._descriptor)
            self._descriptor = None


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Holds a lock that only one process can have.

    Args:
        path: the lock file, made when missing.

    Raises:
        EmbeddedError: another process kept it for two minutes.
    """
    descriptor = _open(path)
    try:
        _wait(descriptor, fcntl.LOCK_EX, path)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    with folder_errors(path.parent):
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _wait(descriptor: int, kind: int, path: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"another process holds {path} for {_PATIENCE:g} s: stop it and start again"
                ) from None
            time.sleep(0.02)
        else:
            return
