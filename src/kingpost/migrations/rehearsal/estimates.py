"""What a rehearsal means for tables as large as those of production."""

from collections.abc import Mapping
from dataclasses import replace

from kingpost.migrations.rehearsal.report import Report, Revision, Statement
from kingpost.migrations.rehearsal.verdicts import Verdict, worst
from kingpost.migrations.rehearsal.wording import counted, duration, grouped

SMALL = 1_000


def with_estimates(report: Report, statistics: Mapping[str, int]) -> Report:
    """Adds how long each unsafe statement would block in production, and forgives small tables.

    A statement is forgiven, `brief-lock` in place of `unsafe-lock`, when production has less than
    1 000 rows in each table that it locked: what it does with them takes no time to speak of.

    Args:
        report: of a rehearsal.
        statistics: rows of production by table, as in the statistics file.

    Returns:
        The same with estimates; applied again, it changes nothing.
    """
    revisions = tuple(_revision(it, statistics, report.rows) for it in report.revisions)
    return replace(report, revisions=revisions)


def _revision(revision: Revision, statistics: Mapping[str, int], rows: int) -> Revision:
    statements = tuple(_statement(it, statistics, rows) for it in revision.statements)
    forgiven = replace(revision, statements=statements)
    if revision.verdict is not Verdict.UNSAFE_LOCK:
        return forgiven
    return replace(forgiven, verdict=worst([*_verdicts(forgiven)]))


def _verdicts(revision: Revision) -> list[Verdict]:
    """What is left when a lock is forgiven: all else that the revision was judged by."""
    found = [statement.verdict for statement in revision.statements]
    trip = revision.round_trip
    if trip is not None and (trip.error is not None or trip.schema == "different"):
        found.append(Verdict.NOT_REVERSIBLE)
    if trip is not None and trip.lost:
        found.append(Verdict.LOSSY)
    return found


def _statement(statement: Statement, statistics: Mapping[str, int], rows: int) -> Statement:
    if statement.verdict is not Verdict.UNSAFE_LOCK:
        return statement
    sizes = {lock.relation: statistics.get(lock.relation) for lock in statement.locks}
    known = {relation: size for relation, size in sizes.items() if size is not None}
    if known and len(known) == len(sizes) and max(known.values()) < SMALL:
        return _forgiven(statement, known)
    blocked = [lock.relation for lock in statement.locks if lock.blocks != "nothing"]
    largest = max((known[name] for name in blocked if name in known), default=None)
    return statement if largest is None else _estimated(statement, largest, rows)


def _forgiven(statement: Statement, sizes: Mapping[str, int]) -> Statement:
    tables = ", ".join(f"{name} ({counted(size, 'row')})" for name, size in sizes.items())
    reason = f"no more than a brief lock, since production has little in {tables}"
    return replace(
        statement, verdict=Verdict.BRIEF_LOCK, reasons=(*statement.reasons, reason), advice=""
    )


def _estimated(statement: Statement, production: int, rows: int) -> Statement:
    if statement.started_ms is None or statement.ended_ms is None or rows < 1:
        return statement
    blocked = (statement.ended_ms - statement.started_ms) * production / rows
    reason = f"in production, {grouped(production)} rows: about {duration(blocked)}"
    kept = tuple(it for it in statement.reasons if not it.startswith("in production, "))
    return replace(statement, estimated_ms=blocked, reasons=(*kept, reason))
