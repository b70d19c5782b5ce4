"""What squawk says of the statements of a rehearsal, and whether that is so."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Literal

from kingpost.migrations.lint.squawk import SquawkError, SquawkFinding, squawk_statements
from kingpost.migrations.lint.targets import target
from kingpost.migrations.rehearsal.report import Opinion, Revision, Statement

_UNREADABLE = "syntax-error"


def with_opinions(revision: Revision, empty: Collection[str] = ()) -> Revision:
    """Adds squawk's opinions to a rehearsed revision.

    Args:
        revision: with its statements and their verdicts.
        empty: relations that had no rows, so that nothing could be seen of them; as in `Lock`.

    Returns:
        The same with opinions that are confirmed, refuted or were not exercised; without any if
        squawk is not there.
    """
    try:
        there = _findings([it for it in revision.statements if not it.undo])
        back = _findings([it for it in revision.statements if it.undo])
    except SquawkError:
        return revision
    statements = []
    for statement in revision.statements:
        found = (back if statement.undo else there).pop(0)
        opinions = tuple(_opinion(finding, statement, empty) for finding in found)
        statements.append(replace(statement, opinions=opinions))
    return replace(revision, statements=tuple(statements))


def _findings(statements: Sequence[Statement]) -> list[list[SquawkFinding]]:
    """The findings of each statement, seen in its script and its transaction."""
    script: list[str] = []
    places: dict[int, int] = {}
    transaction: int | None = None
    for index, statement in enumerate(statements):
        if statement.transaction != transaction:
            script += ["COMMIT"] if transaction is not None else []
            script += ["BEGIN"] if statement.transaction is not None else []
            transaction = statement.transaction
        places[len(script)] = index
        script.append(statement.sql)
    script += ["COMMIT"] if transaction is not None else []
    found: list[list[SquawkFinding]] = [[] for _ in statements]
    for finding in squawk_statements(script):
        if finding.statement in places and finding.rule != _UNREADABLE:
            found[places[finding.statement]].append(finding)
    return found


def _opinion(finding: SquawkFinding, statement: Statement, empty: Collection[str]) -> Opinion:
    return Opinion(finding.rule, finding.message, _outcome(statement, empty))


def _outcome(
    statement: Statement, empty: Collection[str]
) -> Literal["confirmed", "refuted", "not exercised"]:
    if not statement.verdict.passes:
        return "confirmed"
    name = target(statement.sql)
    relations = {lock.relation for lock in statement.locks} | {name.name, name.sql}
    return "not exercised" if relations & set(empty) else "refuted"
