"""The pass that shows: a change runs under live traffic, and is timed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from kingpost.migrations.rehearsal.changes import Change
from kingpost.migrations.rehearsal.observing import is_of_change
from kingpost.migrations.rehearsal.report import Live, Sample, Statement, TrafficError
from kingpost.migrations.rehearsal.verdicts import Verdict, worst

Window = tuple[float, float]
"""Begin and end, in milliseconds by the clock of the traffic."""

ALWAYS: Window = (float("-inf"), float("inf"))

_AFTERWARDS = 2.0  # seconds at most, until the traffic has seen the new schema


class LiveRun(Protocol):
    """Traffic of the running version that is sent all the time."""

    def clock(self) -> float:
        """Milliseconds since it began."""

    def record(self, index: int, began_ms: float, ended_ms: float) -> None:
        """Notes when a statement of the change ran."""

    @property
    def busy(self) -> bool:
        """Whether it has anything to send."""

    @property
    def sent(self) -> int:
        """How much of it has been answered."""

    def result(self, window: Window = ALWAYS) -> Live:
        """What it has seen of what began in a window."""


class Timer:
    """Notes when each statement of an engine begins and ends.

    Args:
        place: says where the statement stands that is about to run.
        traffic: that runs meanwhile.
    """

    def __init__(self, place: Callable[[], str | None], traffic: LiveRun) -> None:
        self.sent: list[tuple[str, str]] = []
        self._place = place
        self._traffic = traffic

    def attach(self, engine: AsyncEngine) -> None:
        """Begins to time.

        Args:
            engine: whose statements, not yet connected.
        """
        sync = engine.sync_engine
        event.listen(sync, "before_cursor_execute", self._before)
        event.listen(sync, "after_cursor_execute", self._after)
        event.listen(sync, "handle_error", self._failed)

    def end_transaction(self, *, committed: bool) -> None:
        """Nothing is to be noted of the end of a transaction."""

    def settle(self) -> None:
        """Nothing is left to be noted at the end."""

    def _before(self, _c: Any, _cursor: Any, sql: str, _p: Any, context: Any, _many: bool) -> None:
        place = self._place()
        context.kingpost_began = None
        if place is not None and is_of_change(sql, context.execution_options):
            self.sent.append((place, sql))
            context.kingpost_began = (len(self.sent) - 1, self._traffic.clock())

    def _after(self, _c: Any, _cursor: Any, _sql: str, _p: Any, context: Any, _many: bool) -> None:
        self._record(context)

    def _failed(self, failure: Any) -> None:
        if failure.execution_context is not None:
            self._record(failure.execution_context)

    def _record(self, context: Any) -> None:
        began = getattr(context, "kingpost_began", None)
        if began is not None:
            context.kingpost_began = None
            self._traffic.record(began[0], began[1], self._traffic.clock())


@dataclass(slots=True)
class Shown:
    """What was sent while traffic ran.

    Args:
        sent: place and SQL of the statements of both ways, in the order sent.
        there: how many of them are of the way there.
        turned_ms: when the way back began, by the clock of the traffic.
        failure: of the way there.
        failure_back: of the way back.
    """

    sent: list[tuple[str, str]]
    there: int = 0
    turned_ms: float = float("inf")
    failure: str | None = None
    failure_back: str | None = None


def show(
    change: Change, url: str, traffic: LiveRun, between: Callable[[], None] = lambda: None
) -> Shown:
    """Runs a change while traffic runs, and takes it back while it goes on.

    Args:
        change: what to run.
        url: of a database with rows, in the state before the change.
        traffic: that has begun, on the same database.
        between: called when the change is there.

    Returns:
        What was sent, and the failures.
    """
    timer = Timer(change.place, traffic)
    shown = Shown(timer.sent)
    _until_more(traffic)
    shown.failure = change.apply(url, timer)
    shown.there = len(timer.sent)
    _until_more(traffic)
    if shown.failure is None:
        between()
        if change.reversible:
            shown.turned_ms = traffic.clock()
            shown.failure_back = change.undo(url, timer)
            _until_more(traffic)
    return shown


def renumbered(
    live: Live, shown: Shown, statements: Sequence[Statement], *, undo: bool = False
) -> Live:
    """Numbers the statements of a live pass as they are in the report.

    Args:
        live: with the numbers in the order sent.
        shown: their place and SQL.
        statements: of the report.
        undo: whether it is of the way back.

    Returns:
        The same; what the report does not show is left out.
    """
    numbers = _numbers(shown, statements, undo)
    return replace(
        live,
        statements=tuple(
            (numbers[index], began, ended)
            for index, began, ended in live.statements
            if index in numbers
        ),
        waits=tuple(
            replace(wait, statement=numbers.get(-1 if wait.statement is None else wait.statement))
            for wait in live.waits
        ),
    )


def _until_more(traffic: LiveRun) -> None:
    """Lets the traffic go on, so that there is something before and after to compare with."""
    if not traffic.busy:
        return
    enough, deadline = traffic.sent + 20, time.monotonic() + _AFTERWARDS
    while traffic.sent < enough and time.monotonic() < deadline:
        time.sleep(0.005)


def _numbers(shown: Shown, statements: Sequence[Statement], undo: bool) -> dict[int, int]:
    """The number in the report of each statement that was sent, those of retries as well."""
    there = [(n, it.place, it.sql) for n, it in enumerate(statements) if it.undo is undo]
    first, last = (shown.there, len(shown.sent)) if undo else (0, shown.there)
    found: dict[int, int] = {}
    after = -1
    for index, (place, sql) in enumerate(shown.sent[first:last], first):
        same = [n for n, *what in there if what == [place, sql]]
        later = [n for n in same if n > after]
        if same:
            found[index] = after = (later or same)[0]
    return found


def timed(statements: Sequence[Statement], live: Live) -> tuple[Statement, ...]:
    """Adds to statements when they ran, who waited for them, and what failed meanwhile.

    Args:
        statements: of the report.
        live: with the same numbers.

    Returns:
        The statements.
    """
    found = []
    for number, statement in enumerate(statements):
        runs = [(began, ended) for index, began, ended in live.statements if index == number]
        waits = [wait.waited_ms for wait in live.waits if wait.statement == number]
        if not runs:
            found.append(statement)
            continue
        started, ended = min(began for began, _ in runs), max(ended for _, ended in runs)
        waited = max(waits, default=0.0)
        found.append(replace(statement, started_ms=started, ended_ms=ended, waited_ms=waited))
    return tuple(found)


def with_failures(
    statements: Sequence[Statement], live: Live, before: Live | None = None
) -> tuple[Statement, ...]:
    """Adds failures that only the live traffic saw, such as a deadlock; they decide nothing.

    Args:
        statements: of the report, with their times.
        live: what the traffic saw.
        before: what it saw on the way there, of which the way back is innocent; None for that.

    Returns:
        The statements.
    """
    known = {(error.sqlstate, error.query) for it in statements for error in it.errors}
    known |= {(it.failed, it.query) for it in (before.samples if before else ()) if it.failed}
    found = list(statements)
    for sample in live.samples:
        if sample.failed and (sample.failed, sample.query) not in known:
            known.add((sample.failed, sample.query))
            number = _running(statements, sample, undo=before is not None)
            if number is not None:
                it = found[number]
                error = TrafficError(
                    sample.failed, "under live traffic", sample.query, undo=it.undo, live=True
                )
                found[number] = replace(it, errors=(*it.errors, error))
    return tuple(found)


def with_new_version(
    statements: Sequence[Statement], errors: Sequence[TrafficError]
) -> tuple[Statement, ...]:
    """Adds what the new version cannot answer to the last statement of the way there.

    Args:
        statements: of the report.
        errors: of the new version, on the schema that it is made for.

    Returns:
        The statements.
    """
    found = list(statements)
    there = [number for number, it in enumerate(found) if not it.undo]
    if errors and there:
        last = found[there[-1]]
        told = [f"the new version answers {it.query} with {it.sqlstate}" for it in errors]
        counting = [Verdict.BREAKS_APP for it in errors if not it.live]
        found[there[-1]] = replace(
            last,
            verdict=worst([last.verdict, *counting]),
            reasons=(*last.reasons, *told) if counting else last.reasons,
            errors=(*last.errors, *errors),
        )
    return tuple(found)


def _running(statements: Sequence[Statement], sample: Sample, *, undo: bool) -> int | None:
    """The last statement that had begun when the sample ended."""
    ended = sample.began_ms + sample.took_ms
    begun = [
        number
        for number, it in enumerate(statements)
        if it.undo is undo and it.started_ms is not None and it.started_ms <= ended
    ]
    return begun[-1] if begun else None
