"""The operating system account that PostgreSQL runs as, since it refuses to be root."""

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from kingpost.embedded.errors import EmbeddedError

_SYSTEM_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Account:
    """An account, and what to put before a command to run it as that account."""

    uid: int
    gid: int
    prefix: tuple[str, ...]

    def give(self, path: Path) -> None:
        """Makes the account the owner of a file or folder."""
        if self.prefix:
            os.chown(path, self.uid, self.gid)


def account_for(data: Path) -> Account:
    """Chooses the account: this one, or for root the owner of the data or a system account.

    Args:
        data: the data directory, which need not exist.

    Returns:
        The account.

    Raises:
        EmbeddedError: root without `setpriv` or without an account to change to.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), ())
    setpriv = shutil.which("setpriv", path=_SYSTEM_PATH)
    if setpriv is None:
        raise EmbeddedError(
            "PostgreSQL refuses to run as root and setpriv is missing: "
            "install util-linux, or run as an ordinary user"
        )
    uid, gid = _unprivileged(data)
    # dac_override lets the account reach its data inside folders that are closed to all but root.
    capabilities = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    drop = (f"--reuid={uid}", f"--regid={gid}", "--clear-groups")
    return Account(uid, gid, (setpriv, *drop, *capabilities, "--"))


def _unprivileged(data: Path) -> tuple[int, int]:
    if data.exists() and data.stat().st_uid != 0:
        return data.stat().st_uid, data.stat().st_gid
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise EmbeddedError("root needs an account named postgres or nobody to run PostgreSQL as")
