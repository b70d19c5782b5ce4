"""One use case at a time per task: a second one inside would take a second connection."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from kingpost.database.guards import SessionMisuse

_inside: ContextVar[bool] = ContextVar("kingpost_inside_a_transaction", default=False)


@contextmanager
def alone() -> Iterator[None]:
    """Marks that a use case runs.

    Raises:
        SessionMisuse: if it runs inside another one.
    """
    refuse_nested()
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)


def refuse_nested() -> None:
    """Refuses a transaction or read inside a transaction.

    It would not see what the outer one has changed, and enough of them at once would wait for
    each other's connections.

    Raises:
        SessionMisuse: saying what to do instead.
    """
    if _inside.get():
        raise SessionMisuse(
            "this runs inside a transaction already: pass its tx on instead of starting another"
        )
