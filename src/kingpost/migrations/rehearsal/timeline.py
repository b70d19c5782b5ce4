"""The timeline of a rehearsal as a drawing (SVG): statements, the locks they held, who waited."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from math import log10

from kingpost.migrations.rehearsal.report import Live, Lock, Revision, Sample, Statement, Wait
from kingpost.migrations.rehearsal.wording import duration, one_line

WIDTH, LEFT, RIGHT = 1000, 190, 985
LANE, DOTS_HEIGHT = 26, 190
_LANES, _DOTS, _WAITS = 12, 1200, 400
_FASTEST_MS = 0.1


@dataclass(frozen=True, slots=True)
class _Axis:
    """Milliseconds from left to right, by the clock of the traffic; the change began at `zero`."""

    begin: float
    end: float
    zero: float

    def x(self, milliseconds: float) -> float:
        """Where a time is; what is outside is at the edge."""
        share = (milliseconds - self.begin) / (self.end - self.begin)
        return LEFT + min(max(share, 0.0), 1.0) * (RIGHT - LEFT)

    def has(self, milliseconds: float) -> bool:
        """Whether a time is on the drawing."""
        return self.begin <= milliseconds <= self.end


@dataclass(frozen=True, slots=True)
class _Ran:
    """A statement of the change, with the time when it ran under traffic."""

    number: int
    statement: Statement
    began: float
    ended: float


@dataclass(slots=True)
class _Held:
    """A lock of the change on one relation, with the times when a transaction held it."""

    lock: Lock
    times: dict[object, tuple[float, float]] = field(default_factory=dict)


def timeline(revision: Revision, live: Live) -> str:
    """Draws what the pass under live traffic has shown.

    Args:
        revision: with the statements and their verdicts.
        live: with their times, and the traffic.

    Returns:
        An `<svg>` element whose colours are classes of the page's style; empty without times.
    """
    ran = _ran(revision, live)
    if not ran:
        return ""
    axis, held = _axis(ran, live), _held(ran)
    dots_top = 28 + LANE * (1 + len(held)) + 28
    height = dots_top + DOTS_HEIGHT + 44
    parts = [
        *_shadows(ran, axis, dots_top + DOTS_HEIGHT),
        *_change(ran, axis),
        *_locks(held, axis),
        *_traffic(live, axis, dots_top),
        *_scale(axis, dots_top + DOTS_HEIGHT),
    ]
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="Timeline of the change under traffic">{"".join(parts)}</svg>'
    )


def _ran(revision: Revision, live: Live) -> list[_Ran]:
    return [
        _Ran(index + 1, revision.statements[index], began, ended)
        for index, began, ended in live.statements
        if 0 <= index < len(revision.statements)
    ]


def _axis(ran: list[_Ran], live: Live) -> _Axis:
    """The change with a little before and after it, so that one sees how the traffic was."""
    begin = min(it.began for it in ran)
    end = max([it.ended for it in ran] + [it.began_ms + it.waited_ms for it in live.waits])
    margin = max((end - begin) * 0.12, 20.0)
    return _Axis(begin - margin, end + margin, begin)


def _held(ran: list[_Ran]) -> list[_Held]:
    """The locks on each relation, in the order taken; one in a transaction is held to its end."""
    found: dict[tuple[str, str], _Held] = {}
    for it in ran:
        transaction = (it.statement.undo, it.statement.transaction or f"alone {it.number}")
        for lock in it.statement.locks:
            if lock.blocks != "nothing":
                held = found.setdefault((lock.relation, lock.mode), _Held(lock))
                held.times.setdefault(transaction, (it.began, _end_of_transaction(it, ran)))
    return list(found.values())[:_LANES]


def _end_of_transaction(it: _Ran, ran: list[_Ran]) -> float:
    transaction, undo = it.statement.transaction, it.statement.undo
    if transaction is None:
        return it.ended
    same = [
        other.ended
        for other in ran
        if other.statement.transaction == transaction and other.statement.undo == undo
    ]
    return max(same)


def _shadows(ran: list[_Ran], axis: _Axis, bottom: int) -> Iterator[str]:
    """A column behind all lanes while a statement ran that does not pass."""
    for it in ran:
        if not it.statement.verdict.passes:
            yield _bar("shadow", axis, it.began, it.ended, 26, bottom - 26)


def _bar(kind: str, axis: _Axis, began: float, ended: float, y: float, height: float) -> str:
    x = axis.x(began)
    width = max(axis.x(ended) - x, 3)
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" rx="2"/>'
    )


def _told(drawn: str, *lines: str) -> str:
    """A drawing that says more when pointed at."""
    return f"<g><title>{escape(chr(10).join(lines))}</title>{drawn}</g>"


def _text(kind: str, x: float, y: float, words: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def _change(ran: list[_Ran], axis: _Axis) -> Iterator[str]:
    yield _text("lane", 8, 43, "the change")
    free = 0.0
    for it in ran:
        bar = _bar(f"s-{it.statement.verdict}", axis, it.began, it.ended, 28, 22)
        middle = (axis.x(it.began) + max(axis.x(it.ended), axis.x(it.began) + 3)) / 2
        if middle - 9 >= free:  # a number that would cover the one before it is left out
            bar += _text("number", middle, 22, str(it.number))
            free = middle + 9
        took = f"{it.statement.verdict}, {duration(it.ended - it.began)}"
        yield _told(bar, f"{it.number}: {one_line(it.statement.sql, 200)}", took)


def _locks(held: list[_Held], axis: _Axis) -> Iterator[str]:
    for number, it in enumerate(held):
        y, lock = 28 + LANE * (number + 1), it.lock
        kind = "lock-all" if lock.blocks == "reads and writes" else "lock-writes"
        yield _text("lane", 8, y + 15, f"lock on {_shortened(lock.relation)}")
        said = f"{lock.mode}: {lock.blocks} wait"
        bars = [
            _bar(kind, axis, began, ended, y + 2, LANE - 8) for began, ended in it.times.values()
        ]
        bars.append(_label(said, [(axis.x(b), axis.x(e)) for b, e in it.times.values()], y + 15))
        yield _told("".join(bars), f"{one_line(lock.relation, 200)}, {said}")


def _shortened(relation: str) -> str:
    """Without its middle: names that begin alike differ at their end."""
    name = one_line(relation, 200)
    return name if len(name) <= 20 else f"{name[:7]}…{name[-12:]}"


def _label(said: str, bars: list[tuple[float, float]], y: float) -> str:
    """In a bar that has room for it, else behind the last one, else before the first."""
    needed = 6.4 * len(said) + 12
    for left, right in bars:
        if right - left > needed:
            return _text("mode", left + 6, y, said)
    if bars[-1][1] + needed < RIGHT:
        return _text("mode", bars[-1][1] + 6, y, said)
    return _text("mode before", bars[0][0] - 6, y, said)


def _traffic(live: Live, axis: _Axis, top: int) -> Iterator[str]:
    slowest = max([it.took_ms for it in live.samples] + [it.waited_ms for it in live.waits] + [1])
    ceiling = 10 ** (int(log10(max(slowest, 10) * 0.999)) + 1)

    def y(milliseconds: float) -> float:
        share = log10(max(milliseconds, _FASTEST_MS) / _FASTEST_MS) / log10(ceiling / _FASTEST_MS)
        return top + DOTS_HEIGHT * (1 - min(share, 1.0))

    yield _text("lane", 8, top + 15, "the running version")
    step = _FASTEST_MS
    while step <= ceiling * 1.01:
        yield f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y(step):.1f}" y2="{y(step):.1f}"/>'
        yield _text("tick y", LEFT - 6, y(step) + 4, duration(step))
        step *= 10
    for sample in _thinned(live, axis):
        dot = f'cx="{axis.x(sample.began_ms):.1f}" cy="{y(sample.took_ms):.1f}"'
        yield f'<circle class="dot" {dot} r="2"/>'
    yield from (_waiting(wait, axis, y(wait.waited_ms)) for wait in live.waits[:_WAITS])
    for sample in [it for it in live.samples if it.failed][:_WAITS]:
        if axis.has(sample.began_ms):
            yield _failed(sample, axis.x(sample.began_ms), y(sample.took_ms))


def _thinned(live: Live, axis: _Axis) -> list[Sample]:
    """As many dots as one can tell apart; the slow ones are few, and all stay."""
    shown = [it for it in live.samples if axis.has(it.began_ms) and not it.failed]
    shown.sort(key=lambda sample: -sample.took_ms)
    slow, rest = shown[: _DOTS // 4], shown[_DOTS // 4 :]
    return slow + rest[:: max(1, len(rest) // _DOTS + 1)]


def _waiting(wait: Wait, axis: _Axis, y: float) -> str:
    began, ended = axis.x(wait.began_ms), axis.x(wait.began_ms + wait.waited_ms)
    line = f'<line class="wait" x1="{began:.1f}" x2="{ended:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
    dot = f'<circle class="waited" cx="{began:.1f}" cy="{y:.1f}" r="3.5"/>'
    why = f"waited {duration(wait.waited_ms)} for {one_line(wait.relation)}"
    return _told(line + dot, one_line(wait.query, 200), why)


def _failed(sample: Sample, x: float, y: float) -> str:
    cross = f"M{x - 4:.1f},{y - 4:.1f}l8,8m0,-8l-8,8"
    drawn = f'<path class="failed" d="{cross}"/>'
    return _told(drawn, one_line(sample.query, 200), f"failed: {one_line(sample.failed)}")


def _scale(axis: _Axis, bottom: int) -> Iterator[str]:
    yield f'<line class="axis" x1="{LEFT}" x2="{RIGHT}" y1="{bottom}" y2="{bottom}"/>'
    step = _round_step((axis.end - axis.begin) / 6)
    tick = -((axis.zero - axis.begin) // step) * step
    while axis.zero + tick <= axis.end:
        x = axis.x(axis.zero + tick)
        yield f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 5}"/>'
        yield _text("tick x", x, bottom + 19, _moment(tick))
        tick += step
    yield _text("tick x", (LEFT + RIGHT) / 2, bottom + 38, "time since the change began")


def _round_step(least: float) -> float:
    unit = 10.0 ** int(log10(max(least, 1.0)))
    return next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= min(least, unit * 10))


def _moment(milliseconds: float) -> str:
    sign = "−" if milliseconds < 0 else ""
    return sign + (
        f"{abs(milliseconds):.0f} ms" if abs(milliseconds) < 1000 else _seconds(milliseconds)
    )


def _seconds(milliseconds: float) -> str:
    return f"{abs(milliseconds) / 1000:g} s"
