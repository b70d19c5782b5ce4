"""The one error of the embedded server."""

import errno
import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot be used; the message is one line with the way out."""


@contextmanager
def folder_errors(folder: Path) -> Iterator[None]:
    """Turns what the file system refuses into one clear line.

    Args:
        folder: where the server keeps its files, for the message.

    Raises:
        EmbeddedError: instead of any OSError.
    """
    try:
        yield
    except OSError as error:
        raise EmbeddedError(_explain(folder, error)) from error


def disk_full(folder: Path) -> EmbeddedError:
    """The error for a full disk.

    Args:
        folder: where the server keeps its files.

    Returns:
        The error to raise.
    """
    return EmbeddedError(f"the disk of {folder} is full: free at least 200 MB and start again")


def _explain(folder: Path, error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return str(disk_full(folder))
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return (
            f"{error.filename or folder} is not writable by user {_user()}: "
            "run as its owner, or give the folder to this user with chown -R"
        )
    return f"{folder} cannot hold a database ({error.strerror or error}): choose another folder"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as containers have
        return "of this process"
