"""A data directory: made by initdb, checked before use."""

import os
import shutil
import subprocess
from pathlib import Path

from kingpost.embedded.account import Account
from kingpost.embedded.binaries import program
from kingpost.embedded.errors import EmbeddedError, disk_full, folder_errors

# A fixed environment: PGDATA, PGPORT or a locale of the caller must not leak into the server.
CLEAN_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

_NEW_DATA_BYTES = 100_000_000
_OLD_DATA_BYTES = 32_000_000


def prepare(folder: Path, account: Account, *, major: int, durable: bool) -> Path:
    """Makes the data directory, or checks the one that is there.

    Args:
        folder: the embedded server's folder; the data goes to `data` inside it.
        account: the owner of the data.
        major: major version of PostgreSQL.
        durable: False skips the fsync after creation.

    Returns:
        The data directory.

    Raises:
        EmbeddedError: of another major version, no space, not writable, or initdb failed.
    """
    data = folder / "data"
    with folder_errors(folder):
        exists = (data / "PG_VERSION").exists()
        _check_space(folder, _OLD_DATA_BYTES if exists else _NEW_DATA_BYTES)
        if exists:
            _check_version(data, major)
        else:
            _create(data, account, major=major, durable=durable)
        _check_owner(data, account)
    return data


def _check_space(folder: Path, wanted: int) -> None:
    if shutil.disk_usage(folder).free < wanted:
        raise disk_full(folder)


def _check_version(data: Path, major: int) -> None:
    found = (data / "PG_VERSION").read_text().strip()
    if found != str(major):
        raise EmbeddedError(
            f"the data in {data} is of PostgreSQL {found}, not {major}: "
            f"move it away (mv {data} {data}.{found}) to start with an empty database"
        )


def _check_owner(data: Path, account: Account) -> None:
    owner = data.stat().st_uid
    if owner != account.uid:
        raise EmbeddedError(
            f"{data} belongs to user {owner}, not to {account.uid}: "
            "run as its owner, or move it away to start with an empty database"
        )


def _create(data: Path, account: Account, *, major: int, durable: bool) -> None:
    """Runs initdb beside the final place, so that a kill in the middle leaves nothing half-made."""
    unfinished = data.with_name("data.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    account.give(unfinished)
    options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-instructions"]
    options += _locale(major) + ([] if durable else ["--no-sync"])
    done = subprocess.run(  # noqa: S603 - our own program and options
        [*account.prefix, str(program("initdb", major)), "-D", str(unfinished), *options],
        env=CLEAN_ENVIRONMENT,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise creation_failed(data.parent, done.stderr)
    os.rename(unfinished, data)  # noqa: PTH104 - replaces an empty folder too, as rename(2) does


def creation_failed(folder: Path, output: str) -> EmbeddedError:
    """Says in one line why initdb or the server failed.

    Args:
        folder: the embedded server's folder.
        output: what the program wrote.

    Returns:
        The error to raise.
    """
    if "No space left" in output or "Disk quota exceeded" in output:
        return disk_full(folder)
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "error:" in line] or lines
    return EmbeddedError(
        f"PostgreSQL could not start in {folder}: {telling[-1] if telling else 'no message'}"
    )


def _locale(major: int) -> list[str]:
    if major >= 17:
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--locale=C.UTF-8"]
