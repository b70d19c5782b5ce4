"""A disk so small that it can be filled: a tmpfs that only the processes of the test can see."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from kingpost.embedded.account import account_for

_MOUNT = 'mount -t tmpfs -o "size=$1,mode=755" none "$2" && shift 2 && exec "$@"'
_KEEP = "echo mounted; read _"  # by then it runs as the account that is to come in


@contextmanager
def small_disk(mount: Path, megabytes: int) -> Iterator[Path]:
    """Mounts it in a mount namespace of a process that does nothing else, and ends with the block.

    Root needs no more than the right to mount. Anybody else gets it from a user namespace, which
    some machines forbid: then the test is skipped, by name.

    Args:
        mount: an empty folder, which keeps its own files under this name.
        megabytes: the size.

    Yields:
        The way in: a path through /proc to what that process sees.
    """
    account = account_for(mount / "data")
    space = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    script = [
        "sh",
        "-c",
        _MOUNT,
        "sh",
        f"{megabytes}m",
        str(mount),
        *account.prefix,
        "sh",
        "-c",
        _KEEP,
    ]
    with subprocess.Popen(
        [*space, *script],
        stdin=subprocess.PIPE,  # it ends when this is closed, even by our own death
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as keeper:
        assert keeper.stdout is not None
        told = keeper.stdout.readline()
        if told != "mounted\n":
            pytest.skip(f"this account may not mount a small disk here: {told}")
        yield Path(f"/proc/{keeper.pid}/root{mount}")


def fill(disk: Path) -> Path:
    """Writes a file that leaves no byte free.

    Returns:
        The file; who removes it makes room again.
    """
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return ballast
