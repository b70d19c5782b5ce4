"""A rehearsal for people, in a terminal: short when all is well, with the way out when not."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from kingpost.migrations.rehearsal.report import Live, Report, Revision, RoundTrip, Statement
from kingpost.migrations.rehearsal.verdicts import Verdict
from kingpost.migrations.rehearsal.wording import (
    MEANING,
    counted,
    evidence,
    grouped,
    one_line,
    opinion,
    printable,
    title,
    under_traffic,
)

_SHOWN = 5  # statements that pass; more of them are one line


def as_text(report: Report, *, script: bool = False) -> str:
    """Writes the report that people read.

    Args:
        report: of the rehearsal.
        script: True if the change is a script of SQL, which nobody can accept by a mark.

    Returns:
        Lines: the verdict, each statement with what is to be done instead, the worst first, what
        else was found, and what to do next. A safe change takes three to five.
    """
    lines = [_headline(report)]
    for revision in report.revisions:
        lines += _revision(revision, many=len(report.revisions) > 1)
        lines += _traffic(report.live.get(revision.name), report.back.get(revision.name))
        lines += [f"Assumes: {one_line(it, 200)}" for it in revision.assumptions]
    lines += [f"Not filled, so not rehearsed with rows: {one_line(it)}" for it in report.not_filled]
    return "\n".join([*lines, _next(report, script)]) + "\n"


def _headline(report: Report) -> str:
    many = len(report.revisions) != 1
    what = counted(len(report.revisions), "revision") if many else title(report.revisions[0])
    server = f"PostgreSQL {report.server}, " if report.server else ""
    how = f"{server}{grouped(report.rows)} rows a table, {report.seconds:.1f} s"
    return f"{str(report.verdict).upper()}: {what}: {MEANING[report.verdict]} ({how})"


def _revision(revision: Revision, *, many: bool) -> Iterator[str]:
    if many:
        yield f"{revision.verdict}: {title(revision)}"
    yield from _statements(revision.statements)
    yield from _opinions([it for it in revision.statements if it.verdict.passes])
    for name in revision.invalid:
        yield f"Left INVALID: {one_line(name)}; drop it, or build it again"
    for name in revision.unvalidated:
        yield f"Left NOT VALID: {one_line(name)}; validate it in a later revision"
    if revision.round_trip is not None:
        yield from _there_and_back(revision.round_trip)


def _traffic(live: Live | None, back: Live | None) -> Iterator[str]:
    if live is not None and (said := under_traffic(live)):
        yield f"Under traffic: {said}"
    if back is not None and (said := under_traffic(back)):
        yield f"The way back under traffic: {said}"
    if live is not None and live.service:
        yield f"The service's HTTP API: {one_line(live.service, 300)}"


def _statements(statements: Sequence[Statement]) -> Iterator[str]:
    """What does not pass stands above what does, and at each of them the way there first."""
    shown = [it for it in statements if not _is_frame(it)]
    told: set[str] = set()
    for undo in (False, True):
        yield from _told([it for it in shown if it.undo is undo and not it.verdict.passes], told)
    for undo in (False, True):
        yield from _passing([it for it in shown if it.undo is undo and it.verdict.passes], told)


def _told(statements: list[Statement], told: set[str]) -> Iterator[str]:
    for statement in sorted(statements, key=lambda it: -it.verdict.severity):
        yield from _statement(statement, told)


def _passing(statements: list[Statement], told: set[str]) -> Iterator[str]:
    silent = [it for it in statements if _is_silent(it)]
    if len(silent) > _SHOWN or (silent and silent[0].undo):
        yield from _told([it for it in statements if not _is_silent(it)], told)
        count = f"{_way(silent[0])}{counted(len(silent), 'statement')}"
        yield f"  ok     {count}: nobody waits for long"
    else:
        yield from _told(statements, told)


def _is_silent(statement: Statement) -> bool:
    fine = statement.verdict.passes if statement.undo else statement.verdict is Verdict.SAFE
    return fine and not statement.errors


def _is_frame(statement: Statement) -> bool:
    """What only begins or ends a transaction is worth no line, unless it fails."""
    words = statement.sql.split(None, 1)
    framing = bool(words) and words[0].rstrip(";").upper() in {"BEGIN", "START", "COMMIT", "END"}
    return framing and statement.verdict is Verdict.SAFE


def _statement(statement: Statement, told: set[str]) -> Iterator[str]:
    place = f"{one_line(statement.place)}  " if statement.place else ""
    sql = one_line(statement.sql) or "before any statement"
    yield f"  {_mark(statement.verdict)} {_way(statement)}{place}{sql}"
    if statement.verdict is not Verdict.SAFE or statement.errors:
        reasons = [*statement.reasons, *evidence(statement)] or [MEANING[statement.verdict]]
        said = [one_line(reason, 300) for reason in reasons]
        if not (statement.verdict.passes and told.issuperset(said)):
            yield f"         {statement.verdict}: {'; '.join(said)}"
        told.update(said)
    if not statement.verdict.passes:
        yield from (f"         {opinion(given)}" for given in statement.opinions)
    if statement.advice:
        advice = printable(statement.advice).strip().splitlines()
        yield f"         do instead: {advice[0]}"
        yield from (f"                     {line}" for line in advice[1:])


def _way(statement: Statement) -> str:
    return "undo " if statement.undo else ""


def _opinions(statements: list[Statement]) -> Iterator[str]:
    """Those on statements that pass, on a line for each outcome: they are many, and often wrong."""
    given = [it for statement in statements for it in statement.opinions]
    for outcome in ("confirmed", "refuted", "not exercised"):
        rules = dict.fromkeys(it.rule for it in given if it.outcome == outcome)
        if rules:
            yield f"squawk, on what passes here, {outcome}: {one_line(', '.join(rules), 200)}"


def _mark(verdict: Verdict) -> str:
    if verdict is Verdict.SAFE:
        return "ok    "
    if verdict in {Verdict.ERROR, Verdict.PARTIAL}:
        return "FAILED"
    return "brief " if verdict.passes else "UNSAFE"


def _there_and_back(trip: RoundTrip) -> Iterator[str]:
    if trip.error is not None:
        yield f"The way back fails: {one_line(trip.error, 200)}"
    elif trip.schema != "not reached":
        kept = f"missing: {one_line(', '.join(trip.lost), 200)}" if trip.lost else "all data kept"
        yield f"There and back: schema {trip.schema}, {kept}"
    if trip.difference:
        changed = [line for line in printable(trip.difference).splitlines() if _is_change(line)]
        yield from (f"         {one_line(line)}" for line in changed[:10])
        if len(changed) > 10:
            yield f"         … and {counted(len(changed) - 10, 'line')} more"


def _is_change(line: str) -> bool:
    return line.startswith(("+", "-")) and not line.startswith(("+++", "---"))


def _next(report: Report, script: bool) -> str:
    if report.verdict.passes:
        brief = report.verdict is Verdict.BRIEF_LOCK
        manner = "with a short lock_timeout and retries" if brief else "under traffic"
        return f"Next: apply it {manner}" + ("." if script else ", as `kingpost db upgrade` does.")
    if script or not report.accepted:
        instead = any(it.advice for revision in report.revisions for it in revision.statements)
        way = "do what it says instead" if instead else "change it"
        return f"Next: {way}, then rehearse it again{'' if script else _marks(report)}."
    reasons = [one_line(it.reason, 200) for it in report.revisions if it.reason]
    if reasons:
        return f"Accepted, since the revision says: {'; '.join(reasons)}"
    return (
        "Accepted, as a contract phase: `kingpost db upgrade --contract`, "
        "when no process of the old version runs any more."
    )


def _marks(report: Report) -> str:
    """The words in a revision with which it passes all the same."""
    reason = '; or answer for it with `rehearsal_reason = "…"` in the revision'
    if any(_would_contract(it) for it in report.revisions):
        return f'; or mark it `phase = "contract"`, if only an older version uses that{reason}'
    return reason


def _would_contract(revision: Revision) -> bool:
    """Whether it would pass as a contract: it takes something away, and comes back."""
    takes = revision.verdict in {Verdict.BREAKS_APP, Verdict.LOSSY} and not revision.accepted
    return takes and replace(revision, phase="contract").accepted
