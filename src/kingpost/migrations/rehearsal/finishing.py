"""What is added to a rehearsed revision at the end: what to do instead, and what squawk says."""

from collections.abc import Collection
from dataclasses import replace

from kingpost.migrations.lint.cures import cure
from kingpost.migrations.rehearsal.opinions import with_opinions
from kingpost.migrations.rehearsal.report import Revision, Statement


def finished(revision: Revision, empty: Collection[str]) -> Revision:
    """Adds advice and opinions.

    Args:
        revision: with its verdicts.
        empty: tables that had no rows.

    Returns:
        The same with both.
    """
    statements = tuple(_advised(statement) for statement in revision.statements)
    return with_opinions(replace(revision, statements=statements), empty)


def _advised(statement: Statement) -> Statement:
    if statement.verdict.passes or statement.advice:
        return statement
    return replace(statement, advice=cure(statement.sql))
