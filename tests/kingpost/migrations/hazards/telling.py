"""What to read when a verdict is another one than expected."""

from kingpost.migrations.rehearsal.report import Report


def told(report: Report) -> str:
    """Each statement with its verdict, its reasons and failures, a line each."""
    lines = []
    for statement in report.revisions[0].statements:
        sql = " ".join(statement.sql.split())
        lines += [f"{statement.verdict}: {sql}", *(f"    {it}" for it in statement.reasons)]
        lines += [f"    {it.sqlstate} {it.message}: {it.query}" for it in statement.errors]
    return "\n".join([*lines, *report.revisions[0].assumptions, *report.not_filled])
