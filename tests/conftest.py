"""Coverage is measured with the first driver.

Measuring takes as long as the tests themselves; what the second driver reaches beyond the first
is its own few lines.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from coverage import Coverage

UNMEASURED = "psycopg"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    measuring = Coverage.current()
    if measuring is None or not is_unmeasured(item):
        return (yield)
    with processes_unmeasured():
        measuring.stop()
        try:
            return (yield)
        finally:
            measuring.start()


def is_unmeasured(item: pytest.Item) -> bool:
    call = getattr(item, "callspec", None)
    return call is not None and call.params.get("driver") == UNMEASURED


@contextmanager
def processes_unmeasured() -> Iterator[None]:
    """What such a test starts is not measured either."""
    names = [name for name in os.environ if name.startswith("COVERAGE")]
    kept = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(kept)
