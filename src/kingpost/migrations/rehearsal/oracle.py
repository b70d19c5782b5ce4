"""The verdict of a statement, from what was seen of it; no clock has a part in it.

A statement is unsafe when it does work that grows with a table while its transaction holds a lock
that keeps readers or writers of a table that existed before waiting. How long that takes is a
matter of the machine, that it happens is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kingpost.migrations.rehearsal.observing import Step, first_word
from kingpost.migrations.rehearsal.report import Lock, Statement
from kingpost.migrations.rehearsal.snapshots import Known, World
from kingpost.migrations.rehearsal.verdicts import Verdict, worst
from kingpost.migrations.rehearsal.wording import counted
from kingpost.migrations.rehearsal.work import Work, work_of

# From the weakest to the strongest (PostgreSQL, chapter 13.3.1).
_MODES = {
    "AccessShareLock": "ACCESS SHARE",
    "RowShareLock": "ROW SHARE",
    "RowExclusiveLock": "ROW EXCLUSIVE",
    "ShareUpdateExclusiveLock": "SHARE UPDATE EXCLUSIVE",
    "ShareLock": "SHARE",
    "ShareRowExclusiveLock": "SHARE ROW EXCLUSIVE",
    "ExclusiveLock": "EXCLUSIVE",
    "AccessExclusiveLock": "ACCESS EXCLUSIVE",
}
_STRENGTH = {mode: strength for strength, mode in enumerate(_MODES)}
_STOPS_WRITES = _STRENGTH["ShareLock"]
_STOPS_READS = _STRENGTH["AccessExclusiveLock"]


@dataclass(frozen=True, slots=True)
class _Held:
    """A lock on a relation, with the step that took it."""

    known: Known
    lock: Lock
    since: int

    @property
    def blocks(self) -> bool:
        return self.lock.blocks != "nothing"


def judge(steps: Sequence[Step], known: World, *, undo: bool = False) -> tuple[Statement, ...]:
    """Says of each statement what it does to those who use the database meanwhile.

    Args:
        steps: of the change, in the order in which they ran.
        known: what existed before the change.
        undo: whether they are the way back.

    Returns:
        A statement for each step, without anything that the traffic says.
    """
    since: dict[tuple[int | None, int, str], int] = {}
    return tuple(_judged(index, steps, known, since, undo) for index in range(len(steps)))


def _judged(
    index: int,
    steps: Sequence[Step],
    known: World,
    since: dict[tuple[int | None, int, str], int],
    undo: bool,
) -> Statement:
    step = steps[index]
    held = _held(index, step, known, since)
    work = work_of(step, known)
    locks = tuple(it.lock for it in held)
    if step.error is None and step.transaction is None and step.observed:
        locks = tuple(_lock(relation, mode) for relation, mode in _implied(work, known))
    verdict, reasons = _verdict(index, step, steps, held, work)
    return Statement(
        sql=step.sql,
        verdict=verdict,
        reasons=reasons,
        place=step.place,
        transaction=step.transaction,
        locks=locks,
        tuples_scanned=work.scanned,
        rows_changed=work.changed,
        rewritten=work.rewritten,
        error=step.error,
        undo=undo,
    )


def _held(
    index: int, step: Step, known: World, since: dict[tuple[int | None, int, str], int]
) -> tuple[_Held, ...]:
    """The strongest lock on each relation, those first that keep most others waiting."""
    if step.after is None:
        return ()
    found = []
    for oid, modes in step.after.locks.items():
        mode = max(modes, key=_STRENGTH.__getitem__)
        first = since.setdefault((step.transaction, oid, mode), index)
        found.append(_Held(known.relations[oid], _lock(known.relations[oid], mode), first))
    tables = {it.known.oid for it in found if it.lock.mode == "ACCESS EXCLUSIVE"}
    shown = [it for it in found if _tells(it, tables)]
    strength = {name: number for number, name in enumerate(_MODES.values())}
    return tuple(sorted(shown, key=lambda it: (-strength[it.lock.mode], it.known.name)))


def _tells(held: _Held, exclusive: set[int]) -> bool:
    """An index says something only if its table is not locked as much."""
    if held.known.kind not in "iI":
        return True
    return held.lock.mode == "ACCESS EXCLUSIVE" and held.known.table not in exclusive


def _lock(known: Known, mode: str) -> Lock:
    strength = _STRENGTH[mode]
    if strength >= _STOPS_READS:
        return Lock(known.name, _MODES[mode], "reads and writes")
    # Nobody writes to a materialized view or a view, and an index is locked with its table.
    stops = strength >= _STOPS_WRITES and known.kind in "rpfS"
    return Lock(known.name, _MODES[mode], "writes" if stops else "nothing")


def _implied(work: Work, known: World) -> list[tuple[Known, str]]:
    """New storage outside of a transaction: it is put in place under these locks."""
    names = {relation.name: relation for relation in known.relations.values()}
    found = [names[name] for name in work.rewritten if name in names]
    tables = [it for it in found if it.kind not in "iI"]
    if tables:
        return [(it, "AccessExclusiveLock") for it in tables]
    return [(it, "AccessExclusiveLock") for it in found]


def _verdict(
    index: int, step: Step, steps: Sequence[Step], held: tuple[_Held, ...], work: Work
) -> tuple[Verdict, tuple[str, ...]]:
    if step.error is not None:
        return Verdict.ERROR, (f"fails with {step.error}",)
    blocking = [it for it in held if it.blocks]
    if step.transaction is None and step.observed:
        return _outside(work)
    if blocking and work.does:
        waits = _waits(blocking, index, steps)
        return Verdict.UNSAFE_LOCK, (f"{work.told} while {waits}", *_more(work))
    if work.mass and not step.batch:
        told = f"{work.mass} in one transaction, so that whoever writes to one of them waits"
        return Verdict.UNSAFE_LOCK, (f"{told} until it ends",)
    taken = [it for it in blocking if it.since == index]
    if taken:
        return Verdict.BRIEF_LOCK, (_brief(taken), *_unseen(taken, step))
    return Verdict.SAFE, ()


def _outside(work: Work) -> tuple[Verdict, tuple[str, ...]]:
    if not work.moved:
        return Verdict.SAFE, ()
    told = f"{work.moved} under a lock that keeps readers and writers waiting until it is done"
    return Verdict.UNSAFE_LOCK, (told,)


def _more(work: Work) -> tuple[str, ...]:
    return (f"its rows are lost: {work.lost}",) if work.lost else ()


def _waits(blocking: list[_Held], index: int, steps: Sequence[Step]) -> str:
    worst_first = [it for it in blocking if it.lock.blocks == "reads and writes"] or blocking
    first = worst_first[0]
    others = len(blocking) - 1
    more = f" (and locks on {counted(others, 'other relation')})" if others else ""
    earlier = f", taken by {_named(first.since, steps)}," if first.since != index else ""
    who = "readers and writers" if first.lock.blocks == "reads and writes" else "writers"
    verb = "keep" if others else "keeps"
    return f"{first.lock.mode} on {first.known.name}{more}{earlier} {verb} {who} waiting"


def _named(index: int, steps: Sequence[Step]) -> str:
    place = steps[index].place
    return f"the statement of {place}" if place else f"statement {index + 1}"


def _brief(taken: list[_Held]) -> str:
    locks = ", ".join(f"{it.lock.mode} on {it.known.name}" for it in taken[:3])
    more = f" and {counted(len(taken) - 3, 'other')}" if len(taken) > 3 else ""
    reads = any(it.lock.blocks == "reads and writes" for it in taken)
    who = "readers and writers wait" if reads else "writers wait"
    return f"{who} for {locks}{more}, but it does nothing then that grows with the data"


def _unseen(taken: list[_Held], step: Step) -> tuple[str, ...]:
    empty = sorted({it.known.name for it in taken if it.known.kind in "rpm" and not it.known.rows})
    if not empty or first_word(step.sql) == "lock":
        return ()
    return (f"{', '.join(empty)} had no rows here: what it does with rows was not seen",)


def whole(statements: Sequence[Statement]) -> Verdict:
    """The worst of the statements of the way there.

    Args:
        statements: of both ways.

    Returns:
        Their verdict.
    """
    return worst(statement.verdict for statement in statements if not statement.undo)
