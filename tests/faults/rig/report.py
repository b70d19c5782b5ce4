"""The table of the long form: what each fault cost on each driver."""

import re
from collections.abc import Callable, Iterable

from tests.faults.rig.journal import Resources, Run
from tests.faults.rig.verifier import (
    CHANGES,
    a_key_acts_once,
    nothing_acknowledged_is_lost,
    recovery,
)

Row = tuple[str, ...]
HEAD: Row = (
    *("fault", "driver", "requests", "answered", "503", "longest answer, s"),
    *("normal again after, s", "lost", "doubled", "memory, MB", "descriptors", "sessions"),
)
START, END = "<!-- faults:start -->", "<!-- faults:end -->"


def row_of(fault: str, driver: str, run: Run) -> Row:
    """One line of the table.

    Args:
        fault: the name of the test.
        driver: of the service.
        run: as it ended.
    """
    answered = [one for one in run.operations if one.status]
    longest = max((one.completed - one.invoked for one in answered), default=0.0)
    again = [recovery(run, *kinds) for kinds in (CHANGES, ("read", "list"))]
    return (
        fault,
        driver,
        str(len(run.operations)),
        str(len(answered)),
        str(sum(one.status == 503 for one in answered)),
        f"{longest:.1f}",
        "never" if None in again else f"{max(seconds or 0.0 for seconds in again):.1f}",
        str(len(list(nothing_acknowledged_is_lost(run)))),
        str(len(list(a_key_acts_once(run)))),
        _change(run, lambda held: held.rss // 1_000_000),
        _change(run, lambda held: held.descriptors),
        _change(run, lambda held: held.sessions),
    )


def _change(run: Run, of: Callable[[Resources], int]) -> str:
    return " → ".join(str(of(held)) for held in (run.before, run.after) if held)


def table(rows: Iterable[Row]) -> str:
    """The rows in Markdown, numbers to the right."""
    lines = [HEAD, (*["---"] * 2, *["---:"] * (len(HEAD) - 2)), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def written(page: str, rows: Iterable[Row], made: str) -> str:
    """The page with these rows between its markers; rows of other runs stay.

    Args:
        page: the text, with both markers.
        rows: replace those of the same fault and driver.
        made: when and how, a sentence below the table.
    """
    before, found, after = re.split(f"{START}|{END}", page)
    kept = {row[:2]: row for row in _rows(found)} | {row[:2]: row for row in rows}
    faults = list(dict.fromkeys(row[0] for row in kept.values()))
    shown = sorted(kept.values(), key=lambda row: (faults.index(row[0]), row[1]))
    return f"{before}{START}\n{table(shown)}\n\n{made}\n{END}{after}"


def _rows(shown: str) -> list[Row]:
    lines = [line for line in shown.splitlines() if line.startswith("|")]
    return [tuple(line.strip("| ").split(" | ")) for line in lines[2:]]
