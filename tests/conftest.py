"""Coverage is measured where it tells something, and with the first driver.

Measuring takes as long as the tests themselves, and a measured process twice as long to start.
What the second driver reaches beyond the first is its own few lines.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from coverage import Coverage

UNMEASURED = "psycopg"
HERE = Path(__file__).parent
# What these reach in this process is little, or reached by others before.
ELSEWHERE = [
    HERE / name
    for name in (
        *("architecture", "benchmarks", "docs", "faults"),
        *("app/hostile", "kingpost/migrations/hazards"),
    )
]
OF_PROCESSES = HERE / "kingpost/server"  # much of the server is only run as a process


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    measuring = Coverage.current()
    if measuring is None or (OF_PROCESSES in item.path.parents and not is_unmeasured(item)):
        return (yield)
    with processes_unmeasured():
        if not is_unmeasured(item):
            return (yield)
        measuring.stop()
        try:
            return (yield)
        finally:
            measuring.start()


def is_unmeasured(item: pytest.Item) -> bool:
    call = getattr(item, "callspec", None)
    if call is not None and call.params.get("driver") == UNMEASURED:
        return True
    return any(folder in item.path.parents for folder in ELSEWHERE)


@contextmanager
def processes_unmeasured() -> Iterator[None]:
    """What such a test starts is not measured."""
    names = [name for name in os.environ if name.startswith("COVERAGE")]
    kept = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(kept)
