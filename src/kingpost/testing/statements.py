"""A budget for SQL statements: the test that notices N+1."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection

from kingpost.database.observer import Reporter


class StatementBudgetExceeded(AssertionError):
    """A block sent another number of statements than it may; the message lists them."""


class StatementBudget(Protocol):
    """What the fixture `statements` is: `with statements(2):` or `with statements(at_most=3):`."""

    def __call__(
        self, exactly: int | None = None, *, at_most: int | None = None
    ) -> AbstractContextManager[list[str]]:
        """Counts the SQL statements that the block sends.

        Args:
            exactly: how many the block has to send.
            at_most: how many it may send.

        Returns:
            A context manager that gives the list of statements, filled as they are sent.

        Raises:
            StatementBudgetExceeded: at the end of the block, when the number is another one.
        """
        ...


@contextmanager
def count_statements(
    exactly: int | None = None, *, at_most: int | None = None
) -> Iterator[list[str]]:
    """Counts the statements that all databases of this process send during the block.

    BEGIN, COMMIT and what a driver sends on its own are not counted: they are no statements of
    the code under test.

    Args:
        exactly: how many the block has to send.
        at_most: how many it may send.

    Yields:
        The statements so far.

    Raises:
        StatementBudgetExceeded: when the number is another one. A block that fails by itself
            keeps its own exception.
    """
    if (exactly is None) == (at_most is None):
        raise TypeError("say either statements(2) or statements(at_most=2)")
    sent: list[str] = []
    with _listening(sent.append):
        yield sent
    if len(sent) > at_most if at_most is not None else len(sent) != exactly:
        allowed = f"at most {at_most}" if at_most is not None else f"{exactly}"
        raise StatementBudgetExceeded(_report(allowed, sent))


@contextmanager
def _listening(note: Callable[[str], None]) -> Iterator[None]:
    def before_cursor_execute(
        connection: Connection, _cursor: Any, sql: str, *_rest: object
    ) -> None:
        if getattr(connection, "_allow_autobegin", True):  # else: SQLAlchemy meets the server
            note(sql)

    event.listen(Engine, "before_cursor_execute", before_cursor_execute)
    Reporter.watchers.append(note)
    try:
        yield
    finally:
        Reporter.watchers.remove(note)
        event.remove(Engine, "before_cursor_execute", before_cursor_execute)


def _report(allowed: str, sent: list[str]) -> str:
    lines = [f"{len(sent)} statements were sent, {allowed} allowed:"]
    lines += [f"{number:3}. {' '.join(sql.split())}" for number, sql in enumerate(sent, start=1)]
    return "\n".join(lines)
