"""`make` without a target, as somebody new types it."""

import re
import subprocess

from tests.architecture.source import ROOT


def test_make_alone_lists_all_targets_and_does_nothing() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    lines = done.stdout.splitlines()
    assert [line.split()[1] for line in lines] == phony.split()
    assert all(re.match(r"  make [a-z]+ +\S", line) for line in lines)
