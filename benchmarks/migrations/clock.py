"""The time that everything of a performance is told in."""

import time
from collections.abc import Callable

Clock = Callable[[], float]  # seconds since the performance began


def started() -> Clock:
    """Makes a clock that shows 0 now."""
    beginning = time.monotonic()
    return lambda: time.monotonic() - beginning
