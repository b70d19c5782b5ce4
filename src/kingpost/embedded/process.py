"""The server process: started, adopted when one is left over, stopped."""

import hashlib
import os
import shlex
import stat
import subprocess
import time
from pathlib import Path

from kingpost.embedded.account import Account
from kingpost.embedded.binaries import program
from kingpost.embedded.cluster import CLEAN_ENVIRONMENT, creation_failed
from kingpost.embedded.errors import EmbeddedError, folder_errors

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "log_line_prefix": "%m [%p] %d ",
}
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_START_SECONDS = 60
_STALE_MEMORY_SECONDS = 20.0


def running_pid(data: Path) -> int | None:
    """Finds the server that runs on a data directory.

    Args:
        data: the data directory.

    Returns:
        Its process id; None when there is none, even if a stale `postmaster.pid` says so.
    """
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    command = _command_line(pid)
    return pid if "postgres" in command and str(data) in command else None


def _command_line(pid: int) -> str:
    """The command line; empty for a process that is gone or a zombie."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            return ""
    shown = subprocess.run(  # noqa: S603 - a number is the only argument
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return shown.stdout


def socket_folder(folder: Path, account: Account) -> Path:
    """Names the folder of the socket: short, since a socket's path has at most 107 bytes.

    Args:
        folder: the embedded server's folder.
        account: the account that the server runs as.

    Returns:
        The path, which need not exist.
    """
    digest = hashlib.sha256(f"{account.uid}:{folder}".encode()).hexdigest()
    return Path("/tmp") / f"kingpost-{digest[:16]}"  # noqa: S108 - private_folder checks the owner


def private_folder(path: Path, account: Account) -> None:
    """Makes a folder that only the account (and root) can enter, or checks the one there.

    Raises:
        EmbeddedError: somebody else made it.
    """
    with folder_errors(path):
        if not path.is_symlink() and not path.exists():
            path.mkdir(mode=0o700)
            account.give(path)
        found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or found.st_mode & 0o077:
        raise EmbeddedError(f"{path} was made by somebody else: remove it and start again")


def launch(data: Path, sockets: Path, account: Account, *, major: int, durable: bool) -> None:
    """Starts the server and waits until it answers.

    Args:
        data: the data directory.
        sockets: folder of the socket.
        account: the account to run as.
        major: major version of PostgreSQL.
        durable: False trades safety against a power cut for speed.

    Raises:
        EmbeddedError: it did not come up; the message has its last word.
    """
    private_folder(sockets, account)
    log = data.parent / "postgres.log"
    deadline = time.monotonic() + _STALE_MEMORY_SECONDS
    while True:
        log.unlink(missing_ok=True)
        _remove_stale_files(data, sockets)
        command = _start_command(data, sockets, log, major=major, durable=durable)
        if _run(account, command).returncode == 0:
            return
        output = log.read_text(errors="replace") if log.exists() else ""
        if "pre-existing shared memory block" not in output or time.monotonic() > deadline:
            raise creation_failed(data.parent, output)
        time.sleep(0.2)  # children of a killed server notice its death within moments


def adopt(data: Path, sockets: Path, *, major: int) -> bool:
    """Waits for a server that is left over, and may be starting or dying, to answer.

    Args:
        data: the data directory.
        sockets: folder of the socket.
        major: major version of PostgreSQL.

    Returns:
        True when there is a server and it answers; False when there is none.

    Raises:
        EmbeddedError: it runs and does not answer for a minute.
    """
    deadline = time.monotonic() + _START_SECONDS
    question = [str(program("pg_isready", major)), "-q", "-h", str(sockets), "-t", "1"]
    while (pid := running_pid(data)) is not None:
        answer = subprocess.run(question, env=CLEAN_ENVIRONMENT, check=False)  # noqa: S603 - our own program
        if answer.returncode == 0:
            return True
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"the PostgreSQL of {data} (process {pid}) does not answer: "
                f"end it with `kill -QUIT {pid}` and start again"
            )
        time.sleep(0.1)
    return False


def _remove_stale_files(data: Path, sockets: Path) -> None:
    """Removes what a killed server left; the caller knows that none is running.

    PostgreSQL would do it, but not when the old process id belongs to somebody else by now or to
    a zombie. That old children still run it finds out by the shared memory of the data directory.
    """
    for stale in (data / "postmaster.pid", *sockets.glob(".s.PGSQL.*")):
        stale.unlink(missing_ok=True)


def _start_command(data: Path, sockets: Path, log: Path, *, major: int, durable: bool) -> list[str]:
    settings = {**_SETTINGS, "unix_socket_directories": str(sockets)}
    if not durable:
        settings |= _NOT_DURABLE
    options = shlex.join(part for item in settings.items() for part in ("-c", "=".join(item)))
    control = [str(program("pg_ctl", major)), "-D", str(data), "-w", "-t", str(_START_SECONDS)]
    return [*control, "-l", str(log), "-o", options, "start"]


def shut_down(data: Path, sockets: Path, account: Account, *, major: int) -> None:
    """Stops the server: open transactions are rolled back, what is committed reaches the disk.

    Raises:
        EmbeddedError: it did not stop.
    """
    if running_pid(data) is None:
        return
    control = [str(program("pg_ctl", major)), "-D", str(data), "-w", "-m", "fast", "stop"]
    done = _run(account, control)
    if done.returncode != 0 and running_pid(data) is not None:
        raise EmbeddedError(f"PostgreSQL did not stop: {done.stderr.strip()}")
    with folder_errors(sockets):
        if sockets.exists() and not os.listdir(sockets):  # noqa: PTH208 - emptiness only
            sockets.rmdir()


def _run(account: Account, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own program and options
        [*account.prefix, *command],
        env=CLEAN_ENVIRONMENT,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session="stop" in command,  # Ctrl-C once more does not end the one that stops it
    )
