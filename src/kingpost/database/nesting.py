"""One use case at a time per task: a second one inside would take a second connection."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from kingpost.database.deferred import deferred_commit
from kingpost.database.guards import SessionMisuse

_inside: ContextVar[bool] = ContextVar("kingpost_inside_a_transaction", default=False)


@contextmanager
def alone() -> Iterator[None]:
    """Marks that a use case runs.

    Raises:
        SessionMisuse: if it runs inside another one.
    """
    refuse_inside()
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)


def refuse_inside() -> None:
    """Refuses a transaction inside a transaction.

    It would not see what the outer one has changed, and enough of them at once would wait for
    each other's connections.

    Raises:
        SessionMisuse: saying what to do instead.
    """
    if _inside.get():
        raise SessionMisuse(
            "this runs inside a transaction already: pass its tx on instead of starting another"
        )


def refuse_nested() -> None:
    """Refuses a read inside a transaction, or beside one that is left open for the answer.

    Raises:
        SessionMisuse: saying what to do instead.
    """
    if _inside.get():
        refuse_inside()
    if (deferred := deferred_commit.get()) is not None:
        deferred.refuse_blind_read()
