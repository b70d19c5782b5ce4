"""Both judges on every change."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.kingpost.migrations.hazards.case import Case
from tests.kingpost.migrations.hazards.cases.all import HAZARDS
from tests.kingpost.migrations.hazards.safe.all import SAFE_CHANGES
from tests.kingpost.migrations.hazards.servers import Servers

from benchmarks.hazards import squawk
from benchmarks.lab.progress import Progress
from kingpost.migrations.rehearsal.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run.

    Attributes:
        majors: versions of PostgreSQL.
        rows: in each table that gets generated ones.
        repetitions: of each rehearsal.
        every: only each n-th change.
        only: a part of the names to run; empty for all.
    """

    majors: Sequence[int] = (18, 16)
    rows: int = 1000
    repetitions: int = 1
    every: int = 1
    only: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """A change, and what both say of it.

    Attributes:
        case: the change.
        major: version of PostgreSQL.
        verdicts: of the rehearsals, one for each repetition.
        rules: of squawk that it breaks.
        seconds: of all its rehearsals.
    """

    case: Case
    major: int
    verdicts: tuple[Verdict, ...]
    rules: tuple[str, ...]
    seconds: float

    @property
    def expected(self) -> Verdict:
        """What the change does, as it was measured by hand."""
        return self.case.expected(self.major)

    @property
    def harms(self) -> bool:
        """Whether it is one that must not meet traffic."""
        return not self.expected.passes

    @property
    def alarm(self) -> bool:
        """Whether any rehearsal has raised one."""
        return any(not verdict.passes for verdict in self.verdicts)

    @property
    def exact(self) -> bool:
        """Whether each rehearsal gave the very verdict."""
        return set(self.verdicts) == {self.expected}


@dataclass(slots=True)
class Results:
    """What came out.

    Attributes:
        judged: each change on each version.
        versions: of PostgreSQL in full, by major version.
        squawk: its version.
    """

    judged: list[Judged] = field(default_factory=list)
    versions: dict[int, str] = field(default_factory=dict)
    squawk: str = ""

    def of(self, major: int) -> list[Judged]:
        """The changes on one version of PostgreSQL."""
        return [one for one in self.judged if one.major == major]


def cases(plan: Plan) -> list[Case]:
    """The changes of a plan, hazards first."""
    chosen = [case for case in (*HAZARDS, *SAFE_CHANGES) if plan.only in str(case)]
    return chosen[:: plan.every]


def judge(plan: Plan, folder: Path) -> Results:
    """Runs every change through both.

    Args:
        plan: which, and how often.
        folder: a new one, for the servers.

    Returns:
        What they said.
    """
    results = Results(squawk=squawk.version())
    chosen = cases(plan)
    progress = Progress(len(chosen) * len(plan.majors), expected=0.4 * plan.repetitions)
    with Servers(folder) as servers:
        for major in plan.majors:
            for case in chosen:
                progress.next(f"{major}  {str(case)[:47]}")
                results.judged.append(_one(servers, results, case, major, plan))
    progress.end()
    return results


def _one(servers: Servers, results: Results, case: Case, major: int, plan: Plan) -> Judged:
    began = time.monotonic()
    reports = [servers.rehearse(case, major, plan.rows) for _ in range(plan.repetitions)]
    seconds = time.monotonic() - began
    results.versions[major] = reports[0].server
    verdicts = tuple(report.verdict for report in reports)
    return Judged(case, major, verdicts, squawk.rules(case.change, major), seconds)
