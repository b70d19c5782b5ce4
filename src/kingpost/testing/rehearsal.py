"""Proves revisions from a test: a rehearsal on the test server, and the assertion to it."""

from typing import Protocol

import pytest

from kingpost.embedded import EmbeddedPostgres
from kingpost.migrations.rehearsal.rehearse import Options, rehearse_revisions
from kingpost.migrations.rehearsal.report import Report
from kingpost.migrations.rehearsal.text import as_text
from kingpost.project import Project


class Rehearse(Protocol):
    """What the fixture `rehearsal` gives."""

    def __call__(
        self, revision: str | None = None, *, rows: int = 1_000, live: bool = False
    ) -> Report:
        """Rehearses a revision on the test server, in a database of its own.

        Args:
            revision: of the project; None for the newest one.
            rows: in each table. The verdict does not depend on it, as long as there are some.
            live: True to run it under live traffic too, which takes seconds and decides nothing.

        Returns:
            The report.
        """


def rehearse_with(project: Project, server: EmbeddedPostgres) -> Rehearse:
    """Makes what the fixture gives.

    Args:
        project: whose revisions they are.
        server: running; it gets databases, which are dropped afterwards.

    Returns:
        A function that rehearses one revision.
    """

    def rehearse(revision: str | None = None, *, rows: int = 1_000, live: bool = False) -> Report:
        revisions = None if revision is None else [revision]
        options = Options(rows=rows, live=live)
        return rehearse_revisions(project, revisions, options, server=server)

    return rehearse


def assert_safe(report: Report) -> None:
    """Fails the test with the report, unless each revision may go to production.

    A revision may if its verdict passes, if it is of the phase `contract` and only takes away
    what the old version needs, or if it says why in `rehearsal_reason`.

    Args:
        report: of a rehearsal.

    Raises:
        pytest.fail.Exception: it is not accepted; the message is the whole report.
    """
    __tracebackhide__ = True
    if not report.accepted:
        pytest.fail(as_text(report), pytrace=False)
