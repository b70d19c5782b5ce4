"""Compares a verdict with the expected one, and says what to read when it is another."""

import pytest
from tests.kingpost.migrations.hazards.case import Case
from tests.kingpost.migrations.hazards.servers import NotInstalled, Servers

from kingpost.migrations.rehearsal.report import Report


def check(servers: Servers, case: Case, major: int, rows: int = 1000) -> None:
    """Rehearses a case; skips its test where that version of PostgreSQL is not installed."""
    try:
        report = servers.rehearse(case, major, rows)
    except NotInstalled as reason:
        pytest.skip(str(reason))  # names the version and where it was looked for

    assert report.server.startswith(str(major))
    assert report.verdict is case.expected(major), told(report)


def told(report: Report) -> str:
    """Each statement with its verdict, its reasons and failures, a line each."""
    lines = []
    for statement in report.revisions[0].statements:
        sql = " ".join(statement.sql.split())
        lines += [f"{statement.verdict}: {sql}", *(f"    {it}" for it in statement.reasons)]
        lines += [f"    {it.sqlstate} {it.message}: {it.query}" for it in statement.errors]
    return "\n".join([*lines, *report.revisions[0].assumptions, *report.not_filled])
