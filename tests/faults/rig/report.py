"""The table of the long form: what each fault cost on each driver."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tests.faults.histories import Operation
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
NONE = "—"
START, END = "<!-- faults:start -->", "<!-- faults:end -->"


@dataclass(frozen=True)
class Rows:
    """Where a test puts its lines of the table.

    Attributes:
        fault: the name of the test.
        driver: of the service.
        kept: the lines of all tests.
    """

    fault: str
    driver: str
    kept: list[Row]

    def run(self, run: Run) -> None:
        """A line about a run that has ended."""
        self.kept.append(row_of(self.fault, self.driver, run))

    def history(self, operations: Iterable[Operation], wrong: Sequence[str]) -> None:
        """A line about histories, and what the checkers say of them."""
        self.kept.append(row_of_history(self.fault, self.driver, list(operations), wrong))


def row_of(fault: str, driver: str, run: Run) -> Row:
    """One line of the table.

    Args:
        fault: the name of the test.
        driver: of the service.
        run: as it ended.
    """
    answered = [one for one in run.operations if one.status]
    longest = max((one.completed - one.invoked for one in answered), default=0.0)
    return (
        fault,
        driver,
        str(len(run.operations)),
        str(len(answered)),
        str(sum(one.status == 503 for one in answered)),
        f"{longest:.1f}",
        _again(run) if run.healed else NONE,
        str(len(list(nothing_acknowledged_is_lost(run)))),
        str(len(list(a_key_acts_once(run)))),
        _change(run, lambda held: held.rss // 1_000_000),
        _change(run, lambda held: held.descriptors),
        _change(run, lambda held: held.sessions),
    )


def row_of_history(
    fault: str, driver: str, operations: Sequence[Operation], wrong: Sequence[str]
) -> Row:
    """One line about operations that are judged by their order.

    Each goes on until it is sure, whatever answers it gets meanwhile, so those are not counted.

    Args:
        fault: the name of the test.
        driver: of the service.
        operations: all that was asked for.
        wrong: the sentences of the checkers.
    """
    answered = sum(one.outcome != "info" for one in operations)
    lost = sum(line.startswith(("lost:", "missed:", "stale:")) for line in wrong)
    doubled = sum("twice" in line for line in wrong)
    known = {"requests": len(operations), "answered": answered, "lost": lost, "doubled": doubled}
    return (fault, driver, *(str(known.get(name, NONE)) for name in HEAD[2:]))


def _again(run: Run) -> str:
    again = [recovery(run, *kinds) for kinds in (CHANGES, ("read", "list"))]
    return "never" if None in again else f"{max(seconds or 0.0 for seconds in again):.1f}"


def _change(run: Run, of: Callable[[Resources], int]) -> str:
    return " → ".join(str(of(held)) for held in (run.before, run.after) if held) or NONE


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
