"""Which statement of a change it was that made the running version fail."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from kingpost.migrations.lint.targets import target
from kingpost.migrations.rehearsal.report import Statement, TrafficError
from kingpost.migrations.rehearsal.verdicts import Verdict, worst
from kingpost.migrations.rehearsal.wording import one_line

_STALE_PLAN = "0A000"
ANY = 0
"""In place of the number of a transaction: whichever it was."""


def blamed(
    statements: Sequence[Statement], errors: Sequence[TrafficError], transaction: int
) -> tuple[Statement, ...]:
    """Puts failures of the traffic on the statements of the transaction that made them.

    That is each one which names all that the message names, or else some of it; else each which
    took a lock that others wait for, on a table of the query if there is such; else the last.

    Args:
        statements: of the change.
        errors: seen first after the transaction.
        transaction: its number, or ANY; one that no statement has stands for the last statement.

    Returns:
        All statements, those with their errors and what these make of the verdict.
    """
    found = list(statements)
    for error in errors:
        for index in _guilty(statements, error, transaction):
            found[index] = _with(found[index], error)
    return tuple(found)


def _guilty(statements: Sequence[Statement], error: TrafficError, transaction: int) -> list[int]:
    last = len(statements) - 1
    of_it = [n for n, it in enumerate(statements) if it.transaction == transaction] or [last]
    if transaction == ANY:
        of_it = list(range(len(statements)))
    named = [name.lower() for name in re.findall(r'"([^"]+)"', error.message)]
    locking = [n for n in of_it if statements[n].verdict is not Verdict.SAFE]
    concerned = [n for n in locking if _is_about(statements[n], error.query)]
    every = [n for n in of_it if named and _mentions(statements[n].sql, named, all)]
    some = [n for n in of_it if _mentions(statements[n].sql, named, any)]
    for mention in (every, some):
        if mention:
            return [n for n in mention if n in locking] or mention
    return concerned or locking or of_it[-1:]


def _mentions(sql: str, names: Sequence[str], quantifier: Callable[[Iterable[bool]], bool]) -> bool:
    return quantifier(_has_word(sql, name) for name in names)


def _is_about(statement: Statement, query: str) -> bool:
    name = target(statement.sql).name
    return bool(name) and _has_word(query, name)


def _has_word(sql: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word.lower())}(?!\w)", sql.lower()) is not None


def _with(statement: Statement, error: TrafficError) -> Statement:
    stale = is_stale(error)
    verdict = Verdict.STALE_PLANS if stale else Verdict.BREAKS_APP
    query = one_line(error.query, 80)
    what = "fails once on each connection" if stale else "fails"
    told = f"{query} of the {error.version} version {what} with {error.sqlstate}: {error.message}"
    return replace(
        statement,
        verdict=worst([statement.verdict, verdict]),
        errors=(*statement.errors, error),
        reasons=(*statement.reasons, told),
    )


def is_stale(error: TrafficError) -> bool:
    """Whether a failure is one that a connection gets over by itself.

    Args:
        error: of the traffic.

    Returns:
        True for `cached plan must not change result type`, once.
    """
    return error.sqlstate == _STALE_PLAN and error.heals
