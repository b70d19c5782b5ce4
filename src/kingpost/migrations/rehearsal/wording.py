"""How a rehearsal says numbers, times and SQL, whoever reads it."""

import re

from kingpost.migrations.rehearsal.report import (
    Live,
    Opinion,
    Revision,
    Statement,
    TrafficError,
)
from kingpost.migrations.rehearsal.verdicts import Verdict

MEANING = {
    Verdict.SAFE: "nobody waits, nothing fails",
    Verdict.BRIEF_LOCK: "a lock, but no work that grows with the data while it is held",
    Verdict.STALE_PLANS: "a prepared statement of the running version fails once per connection",
    Verdict.NOT_REVERSIBLE: "the way back fails, or leads to another schema",
    Verdict.LOSSY: "after there and back, data is missing",
    Verdict.UNSAFE_LOCK: "others wait while it works through rows",
    Verdict.BREAKS_APP: "statements of the running version fail afterwards",
    Verdict.PARTIAL: "failed, and left something behind",
    Verdict.ERROR: "failed, and left nothing behind",
}
# What XML and HTML cannot hold, and what makes a terminal do something.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# Marks that turn the direction of text around: what is shown would not be what is there.
_TURNING = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Takes out of a text what cannot be shown, or would be shown as something else.

    Args:
        text: of anybody, such as SQL.

    Returns:
        The same with a replacement character for each of those; line breaks and tabs stay.
    """
    return _TURNING.sub("\ufffd", _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n")))


def one_line(text: str, limit: int = 100) -> str:
    """Puts a text on one line.

    Args:
        text: of any length.
        limit: characters that there is room for.

    Returns:
        The beginning of it, with three dots if that is not all.
    """
    line = " ".join(printable(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def grouped(count: int) -> str:
    """Says a number as `12 000 000`.

    Args:
        count: any number.

    Returns:
        Its digits, in groups of three.
    """
    return f"{count:,}".replace(",", " ")


def counted(count: int, noun: str) -> str:
    """Says how many there are.

    Args:
        count: of them.
        noun: in the singular, with a regular plural.

    Returns:
        Such as `1 statement` or `12 statements`.
    """
    return f"{grouped(count)} {noun}{'' if count == 1 else 's'}"


def duration(milliseconds: float) -> str:
    """Says a time in the unit that a person would take.

    Args:
        milliseconds: of any length.

    Returns:
        Such as `0.4 ms`, `84 ms`, `9 s`, `4 min` or `3.5 h`.
    """
    for unit, size in (("ms", 1.0), ("s", 1000.0), ("min", 60_000.0)):
        if milliseconds < {"ms": 1000.0, "s": 120_000.0, "min": 7_200_000.0}[unit]:
            return _short(milliseconds / size, unit)
    return _short(milliseconds / 3_600_000, "h")


def _short(value: float, unit: str) -> str:
    return f"{value:.1f} {unit}" if 0 < value < 9.95 and value % 1 else f"{value:.0f} {unit}"


def title(revision: Revision) -> str:
    """Names a revision.

    Args:
        revision: of the report.

    Returns:
        Such as `a1b2c3 "add an index"`, or the name of the script.
    """
    name = one_line(revision.name, 60)
    return f'{name} "{one_line(revision.title, 80)}"' if revision.title else name


def failure(error: TrafficError) -> str:
    """Says what the traffic saw.

    Args:
        error: of the traffic.

    Returns:
        One line.
    """
    whose = f"the {error.version} version" + (" after the way back" if error.undo else "")
    often = f", {error.times} times" if error.times > 1 else ""
    heals = "; works on the second try" if error.heals else ""
    return (
        f"{whose} gets {error.sqlstate} {one_line(error.message, 120)}{often}{heals}: "
        f"{one_line(error.query, 90)}"
    )


def opinion(given: Opinion) -> str:
    """Says what squawk thinks, and whether it is so.

    Args:
        given: on a statement.

    Returns:
        One line.
    """
    seen = {
        "confirmed": "confirmed",
        "refuted": "refuted: the rehearsal saw none of it",
        "not exercised": "not exercised: there was no row to show it",
    }
    return f"squawk's {given.rule}: {seen[given.outcome]}"


def under_traffic(live: Live) -> str:
    """Sums up what the traffic of the running version saw.

    Args:
        live: of a revision.

    Returns:
        Such as `70 sent (10 statements of 2 tables), 12 failed with 42703, the slowest 90 ms`;
        empty if there was none.
    """
    if not live.sent:
        return ""
    what = f" ({one_line(live.traffic)})" if live.traffic else ""
    codes = sorted({sample.failed for sample in live.samples if sample.failed})
    with_codes = f" with {one_line(', '.join(codes))}" if live.failed and codes else ""
    failed = f"{grouped(live.failed) if live.failed else 'none'} failed{with_codes}"
    longest = max((wait.waited_ms for wait in live.waits), default=0.0)
    waits = f"; {len(live.waits)} waited, the longest {duration(longest)}" if live.waits else ""
    return (
        f"{grouped(live.sent)} sent{what}, {failed}, the slowest {duration(live.slowest_ms)}{waits}"
    )


def evidence(statement: Statement) -> tuple[str, ...]:
    """Says what was measured of a statement, beside the reasons of its verdict.

    Args:
        statement: of the change.

    Returns:
        A sentence each: its own failure, how long the traffic waited for it, and what failed
        of the traffic.
    """
    said = []
    if statement.error is not None and not any(statement.error in it for it in statement.reasons):
        said.append(f"it failed: {one_line(statement.error, 200)}")
    if statement.waited_ms >= 1:
        said.append(f"the traffic waited {duration(statement.waited_ms)} for it here")
    told = " ".join(statement.reasons)
    said += [failure(it) for it in statement.errors if not _has(told, it)]
    return tuple(said)


def _has(told: str, error: TrafficError) -> bool:
    return error.sqlstate in told and one_line(error.query, 60).rstrip("…") in told
