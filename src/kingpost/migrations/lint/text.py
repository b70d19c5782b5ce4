"""A lint's findings for people, as compilers show theirs."""

from collections.abc import Sequence
from textwrap import indent

from kingpost.migrations.lint.linting import Finding
from kingpost.migrations.rehearsal.wording import counted, one_line, printable

UNSEEN = (
    "The text does not show what depends on the data, on the schema or on the running version: "
    "`kingpost db rehearse` proves it."
)


def as_text(findings: Sequence[Finding], revisions: int) -> str:
    """Shows findings.

    Args:
        findings: in order.
        revisions: how many were looked at.

    Returns:
        Lines, each with a line break.
    """
    shown = "".join(f"{_shown(finding)}\n" for finding in findings)
    return f"{shown}{_summary(findings, revisions)}\n{UNSEEN}\n"


def _shown(finding: Finding) -> str:
    lines = [
        f"{finding.file}:{finding.line}: {finding.level}[{finding.rule}] {finding.message}",
    ]
    if finding.sql:
        lines.append(f"    {one_line(finding.sql)}")
    if finding.cure:
        lines += ["    do instead:", indent(printable(finding.cure), "        ")]
    return "\n".join(lines) + "\n"


def _summary(findings: Sequence[Finding], revisions: int) -> str:
    if not findings:
        return f"{counted(revisions, 'revision')}, no finding."
    guilty = len({finding.revision for finding in findings})
    return f"{counted(len(findings), 'finding')} in {guilty} of {counted(revisions, 'revision')}."
