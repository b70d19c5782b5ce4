"""What processes have used, from /proc: CPU time with that of their ended children, and memory.

CPU time is utime + stime of proc(5): what the scheduler has given, measured in ticks of 10 ms,
which is a quarter of a percent of a run of four seconds.
"""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """A process as `/proc/PID/stat` shows it.

    Attributes:
        parent: the process id of its parent.
        own_ticks: CPU time of all its threads, ended ones included.
        ended_ticks: CPU time of its children that ended and were waited for.
    """

    parent: int
    own_ticks: int
    ended_ticks: int

    @classmethod
    def parse(cls, text: str) -> "ProcessStat":
        """Reads the one line of `/proc/PID/stat`; the name in it may hold blanks and brackets."""
        fields = text.rpartition(")")[2].split()
        user, system, ended_user, ended_system = (int(field) for field in fields[11:15])
        return cls(int(fields[1]), user + system, ended_user + ended_system)


def processes(proc: Path = Path("/proc")) -> dict[int, ProcessStat]:
    """All processes of the machine by their id."""
    found = {}
    for folder in proc.iterdir():
        if folder.name.isdigit():
            try:
                found[int(folder.name)] = ProcessStat.parse((folder / "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended just now
    return found


def tree(root: int, all_processes: dict[int, ProcessStat] | None = None) -> list[int]:
    """The ids of a process and of all below it; empty when it is gone."""
    known = processes() if all_processes is None else all_processes
    found = [root] if root in known else []
    for parent in found:  # grows while it is walked
        found += [pid for pid, stat in known.items() if stat.parent == parent]
    return found


def cpu_seconds(root: int) -> float:
    """CPU time used so far by a process and everything below it, ended children included."""
    known = processes()
    members = [known[pid] for pid in tree(root, known)]
    ticks = sum(member.own_ticks + member.ended_ticks for member in members)
    return ticks / _TICKS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a process tree in bytes.

    Attributes:
        resident: all pages present (RSS), shared ones counted in each process.
        proportional: shared pages divided among those who share them (PSS).
    """

    resident: int
    proportional: int


def memory(root: int) -> Memory:
    """Measures the memory of a process and everything below it."""
    resident = proportional = 0
    for pid in tree(root):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        resident += _kilobytes(rollup, "Rss:")
        proportional += _kilobytes(rollup, "Pss:")
    return Memory(resident * 1024, proportional * 1024)


def _kilobytes(rollup: str, name: str) -> int:
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(name))
