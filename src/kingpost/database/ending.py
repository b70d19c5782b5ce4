"""The end of a transaction: what comes before it, and that nothing tears it apart."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from kingpost.context import current_request
from kingpost.database import drivers
from kingpost.problems import DeadlineExceeded

T = TypeVar("T")

_LOG = logging.getLogger("kingpost.database")
_ENDING: set[asyncio.Task[Any]] = set()


def refuse_if_abandoned() -> None:
    """Refuses to change anything for a request whose client has its answer.

    Raises:
        DeadlineExceeded: the deadline of the request has passed.
    """
    request = current_request.get()
    if request is not None and request.abandoned:
        raise DeadlineExceeded("the deadline passed; nothing was changed")


def is_rolled_back(error: BaseException) -> bool:
    """Whether a failure is the server's answer that nothing was committed.

    Args:
        error: of SQLAlchemy or of a driver, after a COMMIT or a statement that is a transaction
            by itself was sent.

    Returns:
        False for what leaves the outcome open: a lost connection (class 08), a server that
        shuts down (57P) and 40003, which says so (PostgreSQL, appendix A).
    """
    state = drivers.sqlstate(error)
    if state is None or getattr(error, "connection_invalidated", False):
        return False
    return state[:2] != "08" and state[:3] != "57P" and state != "40003"


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Awaits work that a cancellation of the caller must not tear apart.

    A cancelled COMMIT could be lost after it was written (PostgreSQL cancels the wait for a
    standby), and a cancelled close would leak its connection.

    Args:
        work: goes on by itself if the caller is cancelled.

    Returns:
        What it returned.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            _ENDING.add(task)
            task.add_done_callback(_ended)
        raise


def _ended(task: asyncio.Task[Any]) -> None:
    _ENDING.discard(task)
    with suppress(asyncio.CancelledError):
        if (error := task.exception()) is not None:
            _LOG.warning(
                "after its request was given up, the end of a transaction failed: %s",
                type(error).__name__,
            )
