"""What clients did and were told, as Jepsen writes it down: who, what, when, and how it ended."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["ok", "fail", "info"]
"""ok: it happened. fail: it did not, and never will. info: nobody knows."""


@dataclass(slots=True)
class Operation:
    """One call of one client.

    `value` is what was asked for and `result` what was answered. An operation that is still `info`
    may take effect at any time after `invoked`, even after the client has given up.
    """

    process: int
    kind: str
    value: Any
    invoked: float
    completed: float
    outcome: Outcome
    result: Any = None


@dataclass
class History:
    operations: list[Operation] = field(default_factory=list)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def of(self, kind: str, *outcomes: Outcome) -> list[Operation]:
        return [o for o in self if o.kind == kind and (not outcomes or o.outcome in outcomes)]

    @contextmanager
    def operation(self, process: int, kind: str, value: Any = None) -> Iterator[Operation]:
        """Records what happens in the block, which sets `outcome` and `result`."""
        operation = Operation(process, kind, value, time.monotonic(), 0.0, "info")
        self.operations.append(operation)
        try:
            yield operation
        finally:
            operation.completed = time.monotonic()


def outcome_of(status: int, slug: str) -> Outcome:
    """What an answer says about a change.

    Of the 503s, only `outcome-unknown` leaves it open whether something was changed.
    """
    if 200 <= status < 300:
        return "ok"
    return "info" if slug == "outcome-unknown" else "fail"


def repeated(values: Sequence[Any]) -> set[Any]:
    """What occurs more than once."""
    return {value for value, times in Counter(values).items() if times > 1}
