"""What a history of a workload proves; each checker answers a sentence for each thing wrong.

The kinds of operations that a checker knows are named in its docstring. All values are unique, so
that what is read tells who wrote it.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

from tests.faults.histories import History, Operation, repeated


def check_set(history: History) -> list[str]:
    """`add` of a value; `read` gives all values. The last read decides what is lost."""
    reads = history.of("read", "ok")
    if not reads:
        return ["nobody read the set"]
    last = max(reads, key=lambda read: read.invoked)
    adds, shown = history.of("add"), set(last.result)
    wrong = [f"lost: {o.value}" for o in history.of("add", "ok") if o.value not in shown]
    wrong += [
        f"refused, yet there: {o.value}" for o in history.of("add", "fail") if o.value in shown
    ]
    wrong += [f"nobody added: {v}" for v in shown - {o.value for o in adds}]
    for read in reads:
        wrong += [f"twice in one read: {value}" for value in sorted(repeated(read.result))]
        seen = set(read.result)
        unseen = [o for o in history.of("add", "ok") if o.value not in seen]
        wrong += [f"stale: {o.value}" for o in _before(unseen, read)]
    return wrong


def check_register(history: History) -> list[str]:
    """`write` of (expected version, value) gives the new version; `read` gives (version, value).

    Versions make the order known, so that this decides linearizability: every version has one
    value and one writer, each write follows the version that it expected, and neither a read nor
    a write goes back behind what was complete when it began.
    """
    writes, reads = history.of("write", "ok"), history.of("read", "ok")
    wrong = [
        f"lost update: two writes of version {v}"
        for v in sorted(repeated([w.value[0] for w in writes]))
    ]
    wrong += [
        f"write of {w.value[0]} gave {w.result}" for w in writes if w.result != w.value[0] + 1
    ]
    seen: dict[int, Any] = {w.result: w.value[1] for w in writes}
    for read in reads:
        version, value = read.result
        if seen.setdefault(version, value) != value:
            wrong.append(f"version {version} is {seen[version]} and {value}")
    refused = {w.value[1] for w in history.of("write", "fail")}
    wrong += [f"refused, yet read: {r.result[1]}" for r in reads if r.result[1] in refused]
    return wrong + _goes_back([*writes, *reads])


def _goes_back(operations: list[Operation]) -> list[str]:
    wrong = []
    for operation in operations:
        version = _version(operation) - (operation.kind == "write")
        newest = max(map(_version, _before(operations, operation)), default=version)
        if version < newest:
            wrong.append(f"{operation.kind} saw version {version} after version {newest}")
    return wrong


def _version(operation: Operation) -> int:
    found = operation.result if operation.kind == "write" else operation.result[0]
    return int(found)


def check_append(history: History) -> list[str]:
    """`append` of a value; `read` gives the list of them. Every read continues the shorter ones."""
    reads = sorted(history.of("read", "ok"), key=lambda read: len(read.result))
    wrong = []
    for shorter, longer in pairwise(reads):
        if longer.result[: len(shorter.result)] != shorter.result:
            wrong.append(f"two orders: {shorter.result} and {longer.result}")
    return wrong + check_set(_renamed(history, append="add"))


def check_counter(history: History) -> list[str]:
    """`add` of a number to a counter; `read` gives it. The last read counts every answer."""
    reads = history.of("read", "ok")
    if not reads:
        return ["nobody read the counter"]
    final = max(reads, key=lambda read: read.invoked).result
    least = sum(o.value for o in history.of("add", "ok"))
    most = least + sum(o.value for o in history.of("add", "info"))
    if not least <= final <= most:
        return [f"the counter is {final}, not between {least} and {most}"]
    return []


def check_ids(history: History) -> list[str]:
    """`add` gives an id, in whichever process it was made."""
    found = [o.result for o in history.of("add", "ok")]
    return [f"twice the same id: {value}" for value in sorted(repeated(found))]


def check_feed(history: History) -> list[str]:
    """`add` of a value; `take` gives what a reader had not seen before. Nothing twice, none missed.

    The reader must have taken once more after the last add was complete.
    """
    taken = [value for take in history.of("take", "ok") for value in take.result]
    wrong = [f"taken twice: {value}" for value in sorted(repeated(taken))]
    missed = [o.value for o in history.of("add", "ok") if o.value not in set(taken)]
    return wrong + [f"missed: {value}" for value in missed]


def check_causal(history: History) -> list[str]:
    """`add` of a value; `read` gives values. None shows B without an A complete before B began."""
    adds = history.of("add", "ok", "info")
    wrong = []
    for read in history.of("read", "ok"):
        shown = set(read.result)
        unseen = [o for o in history.of("add", "ok") if o.value not in shown]
        for later in (o for o in adds if o.value in shown):
            wrong += [f"{later.value} without {o.value}" for o in _before(unseen, later)]
    return wrong


def _before(operations: Iterable[Operation], later: Operation) -> list[Operation]:
    """What was complete when another one began."""
    return [o for o in operations if o.completed < later.invoked]


def _renamed(history: History, **kinds: str) -> History:
    return History([replace(o, kind=kinds.get(o.kind, o.kind)) for o in history])
