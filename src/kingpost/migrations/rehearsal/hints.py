"""What to do about a failure that comes of how the rehearsal was set up, and not of the change."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from kingpost.migrations.lint.targets import target
from kingpost.migrations.rehearsal.report import Statement

_LACKS = re.compile(r'extension "[^"]*" is not available')
_OF_ROWS = ("22", "23")


def with_hint(failure: str) -> str:
    """Adds to a failure of PostgreSQL what helps against it.

    Args:
        failure: its message, in one line.

    Returns:
        The same; of an extension that is not there, with the option that names another server.
    """
    if _LACKS.search(failure):
        return f"{failure}: give a server that has it with --server URL"
    return failure


def is_of_rows(sqlstate: str) -> bool:
    """Whether a failure comes of the rows that are there (PostgreSQL, appendix A).

    Args:
        sqlstate: five characters, or less if it is unknown.

    Returns:
        True for a violated constraint, and for a value that cannot be used.
    """
    return sqlstate[:2] in _OF_ROWS


def on_generated_rows(
    statements: Sequence[Statement], generated: Collection[str], way_out: str
) -> tuple[Statement, ...]:
    """Says of each statement that fails on rows that those were generated.

    Args:
        statements: of a change that fails.
        generated: tables whose rows were; as in `Lock`.
        way_out: how to give real ones.

    Returns:
        The statements.
    """
    return tuple(_told(statement, generated, way_out) for statement in statements)


def _told(statement: Statement, generated: Collection[str], way_out: str) -> Statement:
    if statement.undo or not is_of_rows(statement.error or ""):
        return statement
    name = target(statement.sql)
    tables = {name.name, name.sql} & set(generated) or set(generated if not name.name else ())
    if not tables:
        return statement
    told = f"the rows of {', '.join(sorted(tables))} are generated: give real ones with {way_out}"
    return replace(statement, reasons=(*statement.reasons, told))
