import os
import subprocess
import sys
from pathlib import Path

from benchmarks.lab.accounting import ProcessStat, cpu_seconds, memory, processes, tree

LINE = "77 (a name) with) R 12 77 77 0 -1 4194304 100 200 0 0 31 11 5 3 20 0 1 0 999 1 1"
BUSY = "import time\nwhile time.process_time() < 0.3: pass"


def test_a_name_with_brackets_and_blanks_does_not_shift_the_fields() -> None:
    assert ProcessStat.parse(LINE) == ProcessStat(parent=12, own_ticks=42, ended_ticks=8)


def test_a_tree_is_a_process_with_all_below_it() -> None:
    known = {pid: ProcessStat(parent, 0, 0) for pid, parent in ((1, 0), (2, 1), (3, 2), (4, 0))}

    assert tree(1, known) == [1, 2, 3]
    assert tree(9, known) == []


def test_a_process_that_ends_while_all_are_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "8").mkdir()
    (tmp_path / "8/stat").write_text(LINE)
    (tmp_path / "meminfo").write_text("")

    assert list(processes(tmp_path)) == [8]


def test_time_of_children_that_have_ended_counts() -> None:
    before = cpu_seconds(os.getpid())
    subprocess.run([sys.executable, "-c", BUSY], check=True)

    assert cpu_seconds(os.getpid()) - before >= 0.29


def test_memory_shared_by_nobody_else_is_resident_and_proportional() -> None:
    used = memory(os.getpid())

    assert used.resident >= used.proportional > 1_000_000
