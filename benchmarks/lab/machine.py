"""The machine: which cores there are, how a process is kept on one, what to state with a result."""

import ctypes
import os
import platform
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
_PR_SET_PDEATHSIG = 1


def cores() -> tuple[int, int]:
    """Chooses two cores: one for PostgreSQL and the load, one for the server under test.

    Returns:
        The first and the second core this process may use; twice the same where there is but one.
    """
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[min(1, len(usable) - 1)]


def pinned(core: int) -> Callable[[], None]:
    """Makes a `preexec_fn` that keeps a new process on a core, and ends it when we are killed."""
    library = ctypes.CDLL(None)  # looked up here, since little is safe after the fork

    def set_up() -> None:
        os.sched_setaffinity(0, {core})
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    return set_up


def description() -> dict[str, object]:
    """What of the machine matters to a result: processor, cores, kernel, memory."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": f"{platform.system()} {platform.release()}",
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def revision() -> str:
    """The commit the benchmarks ran on, with a + behind it when files had been changed."""
    commit = _git("rev-parse", "--short", "HEAD")
    return commit + ("+" if commit and _git("status", "--porcelain", "src") else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
