"""Running something again that failed for a reason that passes."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from kingpost.database.observer import DatabaseObserver

T = TypeVar("T")

_LOG = logging.getLogger("kingpost.database")
_SHORTEST, _LONGEST = 0.01, 0.1


async def rerun(
    attempt: Callable[[], Awaitable[T]],
    *,
    attempts: int,
    reason: Callable[[BaseException], str | None],
    observer: DatabaseObserver,
) -> T:
    """Runs until it succeeds, fails for another reason, or has been tried often enough.

    Between two runs it waits for a random 10 to 100 ms, so that two that got in each other's
    way do not meet again.

    Args:
        attempt: has no effect that outlives its failure.
        attempts: the most runs.
        reason: the SQLSTATE to report if a failure may pass, None if it will not.
        observer: is told of each further run.

    Returns:
        What the successful run returned.
    """
    for number in range(1, attempts + 1):
        try:
            return await attempt()
        except Exception as error:
            state = reason(error)
            if state is None or number == attempts:
                raise
        observer.retry(state)
        _LOG.info("run %d of %d failed with %s: running it again", number, attempts, state)
        await asyncio.sleep(random.uniform(_SHORTEST, _LONGEST))  # noqa: S311 - jitter is no secret
    raise AssertionError("attempts is at least 1")
