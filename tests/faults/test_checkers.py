"""Each checker accepts a good history, and finds what is wrong with a forged one."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.faults.checkers import (
    check_append,
    check_causal,
    check_counter,
    check_feed,
    check_ids,
    check_register,
    check_set,
)
from tests.faults.histories import History, Operation, Outcome, outcome_of

Check = Callable[[History], list[str]]


def op(
    kind: str, begin: float, value: Any = None, outcome: Outcome = "ok", result: Any = None
) -> Operation:
    """One that takes half a second."""
    return Operation(0, kind, value, begin, begin + 0.5, outcome, result)


def found(check: Check, *operations: Operation) -> str:
    return "; ".join(check(History(list(operations))))


ADDED = (op("add", 0, "a"), op("add", 1, "b", "info"), op("add", 2, "c", "fail"))
WRITTEN = (op("write", 0, (1, "a"), result=2), op("write", 1, (2, "b"), result=3))

GOOD: list[tuple[Check, list[Operation]]] = [
    (check_set, [*ADDED, op("read", 3, result=["a"])]),
    (check_set, [*ADDED, op("read", 3, result=["a", "b"])]),
    (check_register, [*WRITTEN, op("read", 0.2, result=(1, "-")), op("read", 2, result=(3, "b"))]),
    (
        check_register,
        [*WRITTEN, op("write", 2, (3, "c"), "info"), op("read", 2.1, result=(4, "c"))],
    ),
    (
        check_append,
        [
            op("append", 0, "a"),
            op("append", 1, "b"),
            op("read", 1.1, result=["a"]),
            op("read", 2, result=["a", "b"]),
        ],
    ),
    (check_counter, [op("add", 0, 1), op("add", 0, 1, "info"), op("read", 2, result=2)]),
    (check_ids, [op("add", 0, result="x"), op("add", 0, result="y")]),
    (check_feed, [*ADDED, op("take", 2, result=["a"]), op("take", 3, result=["b"])]),
    (check_causal, [*ADDED, op("read", 3, result=["a", "b"]), op("read", 0.2, result=[])]),
]

BAD: list[tuple[Check, str, list[Operation]]] = [
    (check_set, "nobody read", [*ADDED]),
    (check_set, "lost: a", [*ADDED, op("read", 3, result=[])]),
    (check_set, "twice in one read: a", [*ADDED, op("read", 3, result=["a", "a"])]),
    (check_set, "refused, yet there: c", [*ADDED, op("read", 3, result=["a", "c"])]),
    (check_set, "nobody added: z", [*ADDED, op("read", 3, result=["a", "z"])]),
    (check_set, "stale: a", [*ADDED, op("read", 1, result=[]), op("read", 3, result=["a"])]),
    (check_register, "lost update", [*WRITTEN, op("write", 1, (2, "c"), result=3)]),
    (check_register, "gave 9", [op("write", 0, (1, "a"), result=9)]),
    (check_register, "version 3 is b and x", [*WRITTEN, op("read", 2, result=(3, "x"))]),
    (
        check_register,
        "refused, yet read",
        [op("write", 0, (1, "a"), "fail"), op("read", 2, result=(2, "a"))],
    ),
    (
        check_register,
        "read saw version 2 after version 3",
        [*WRITTEN, op("read", 2, result=(2, "a"))],
    ),
    (
        check_register,
        "read saw version 2 after version 3",
        [op("read", 0, result=(3, "b")), op("read", 1, result=(2, "a"))],
    ),
    (
        check_register,
        "write saw version 1",
        [op("read", 0, result=(2, "a")), op("write", 1, (1, "b"), result=2)],
    ),
    (
        check_append,
        "two orders",
        [
            op("append", 0, "a"),
            op("append", 0, "b"),
            op("read", 0.1, result=["b"]),
            op("read", 2, result=["a", "b"]),
        ],
    ),
    (
        check_append,
        "lost: b",
        [op("append", 0, "a"), op("append", 1, "b"), op("read", 2, result=["a"])],
    ),
    (check_counter, "nobody read", [op("add", 0, 1)]),
    (
        check_counter,
        "is 1, not between 2",
        [op("add", 0, 1), op("add", 0, 1), op("read", 2, result=1)],
    ),
    (
        check_counter,
        "is 2, not between 1 and 1",
        [op("add", 0, 1), op("add", 0, 1, "fail"), op("read", 2, result=2)],
    ),
    (check_ids, "twice the same id: x", [op("add", 0, result="x"), op("add", 0, result="x")]),
    (check_feed, "missed: a", [*ADDED, op("take", 3, result=["b"])]),
    (
        check_feed,
        "taken twice: a",
        [*ADDED, op("take", 2, result=["a"]), op("take", 3, result=["a"])],
    ),
    (check_causal, "b without a", [*ADDED, op("read", 3, result=["b"])]),
]


@pytest.mark.parametrize(("check", "operations"), GOOD)
def test_a_history_that_may_happen_is_accepted(check: Check, operations: list[Operation]) -> None:
    assert check(History(operations)) == []


@pytest.mark.parametrize(("check", "wrong", "operations"), BAD)
def test_a_forged_history_is_found_out(
    check: Check, wrong: str, operations: list[Operation]
) -> None:
    assert wrong in found(check, *operations)


def test_an_operation_that_is_cut_off_stays_open() -> None:
    history = History()
    with pytest.raises(ConnectionError), history.operation(1, "add", "a"):
        raise ConnectionError
    (cut,) = history
    assert (cut.outcome, cut.value) == ("info", "a")
    assert cut.completed >= cut.invoked


@pytest.mark.parametrize(
    ("status", "slug", "outcome"),
    [
        (201, "", "ok"),
        (503, "outcome-unknown", "info"),
        (503, "unavailable", "fail"),
        (412, "precondition-failed", "fail"),
    ],
)
def test_only_an_unknown_outcome_is_open(status: int, slug: str, outcome: Outcome) -> None:
    assert outcome_of(status, slug) == outcome
