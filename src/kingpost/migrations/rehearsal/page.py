"""A rehearsal as one HTML file: what was found, what to do instead, and a timeline."""

from collections.abc import Iterable, Iterator
from html import escape

from kingpost.migrations.rehearsal.page_style import STYLE
from kingpost.migrations.rehearsal.report import Live, Lock, Report, Revision, RoundTrip, Statement
from kingpost.migrations.rehearsal.timeline import timeline
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

_READING = (
    "Time runs from left to right. On top are the statements of the change, with their numbers; "
    "below them the locks that they held; and below those, each dot is one statement or "
    "request of the running version, the higher the slower. A red line is one that waited for a "
    "lock of the change, from the moment it asked until it was answered."
)
_LEGEND = (
    ("k-good", "", "statement that keeps nobody waiting"),
    ("k-fair", "", "brief lock"),
    ("k-bad", "", "statement that is not safe"),
    ("k-all", "", "lock: reads and writes wait"),
    ("k-writes", "", "lock: writes wait"),
    ("k-dot", "", "answered"),
    ("k-wait", "", "waited"),
    ("k-failed", "×", "failed"),
)


def as_html(report: Report) -> str:
    """Makes the page.

    Args:
        report: of the rehearsal.

    Returns:
        A document that needs no other file, no script and no network.
    """
    name = _names(report)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{_e(f'{report.verdict}: {name}')}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{''.join(_body(report, name))}</body>\n</html>\n"
    )


def _names(report: Report) -> str:
    if len(report.revisions) == 1:
        return title(report.revisions[0])
    return counted(len(report.revisions), "revision")


def _e(text: str) -> str:
    return escape(printable(text))


def _body(report: Report, name: str) -> Iterator[str]:
    yield f"<header>{_badge(report.verdict)}<h1>{_e(name)}</h1>\n"
    yield f"<p>{_e(_sentence(report))}</p>\n"
    server = f"PostgreSQL {report.server}" if report.server else "a throw-away PostgreSQL"
    how = f"Rehearsed on {server}, {grouped(report.rows)} rows a table, in {report.seconds:.1f} s."
    yield f'<p class="soft">{_e(how)}</p></header>\n'
    yield _list("Not filled, so not rehearsed with rows", report.not_filled)
    for revision in report.revisions:
        yield "<section>\n"
        lives = (report.live.get(revision.name), report.back.get(revision.name))
        yield from _revision(revision, lives, len(report.revisions) > 1)
        yield "</section>\n"


def _badge(verdict: Verdict) -> str:
    return f'<span class="badge {_tone(verdict)}">{verdict}</span> '


def _tone(verdict: Verdict) -> str:
    if verdict is Verdict.SAFE:
        return "good"
    return "fair" if verdict.passes else "bad"


def _sentence(report: Report) -> str:
    said = MEANING[report.verdict]
    accepted = not report.verdict.passes and report.accepted
    return said[0].upper() + said[1:] + (", which a person has accepted." if accepted else ".")


def _revision(
    revision: Revision, lives: tuple[Live | None, Live | None], many: bool
) -> Iterator[str]:
    if many:
        yield f"<h2>{_badge(revision.verdict)}{_e(title(revision))}</h2>\n"
    if revision.phase != "expand" or revision.reason:
        said = f": {revision.reason}" if revision.reason else ""
        yield f"<p>Phase {_e(revision.phase)}{_e(said)}</p>\n"
    for heading, live in zip(("", ", on the way back"), lives, strict=True):
        if live is not None:
            yield from _under_traffic(revision, live, heading)
    numbered = list(enumerate(revision.statements, 1))
    for heading, undo in (("What each statement does", False), ("The way back", True)):
        items = [_statement(number, it) for number, it in numbered if it.undo is undo]
        if items:
            yield f'<h3>{heading}</h3>\n<ol class="statements">\n{"".join(items)}</ol>\n'
    yield _list("Left INVALID", revision.invalid)
    yield _list("Left NOT VALID, to be validated later", revision.unvalidated)
    if revision.round_trip is not None:
        yield from _there_and_back(revision.round_trip)
    yield _list("What has to be true in production", revision.assumptions)


def _under_traffic(revision: Revision, live: Live, way: str) -> Iterator[str]:
    drawn = timeline(revision, live)
    if drawn:
        keys = "".join(
            f'<li><span class="key {kind}">{sign}</span>{words}</li>'
            for kind, sign, words in _LEGEND
        )
        yield f"<h3>Under live traffic{way}</h3>\n<figure>"
        yield f"<figcaption>{_READING}</figcaption>\n{drawn}\n"
        yield f'<ul class="legend">{keys}</ul></figure>\n'
    if said := under_traffic(live):
        yield f"<p>{_e(f'Traffic{way}: {said}')}.</p>\n"
    if live.service:
        yield f"<p>{_e(f'The HTTP API of the service: {live.service}')}.</p>\n"


def _statement(number: int, statement: Statement) -> str:
    place = f'<span class="soft">{_e(statement.place)}</span>' if statement.place else ""
    return (
        f'<li class="{_tone(statement.verdict)}"><p><b>{number}</b> {_badge(statement.verdict)}'
        f"{place}</p>\n<pre>{_e(statement.sql.strip())}</pre>\n{_reasons(statement)}"
        f"{_instead(statement.advice)}{_seen(statement)}</li>\n"
    )


def _reasons(statement: Statement) -> str:
    said = [*statement.reasons, *evidence(statement)]
    return f"<ul>{''.join(f'<li>{_e(text)}</li>' for text in said)}</ul>\n" if said else ""


def _instead(advice: str) -> str:
    if not advice:
        return ""
    return f'<div class="instead"><b>Do instead</b><pre>{_e(advice.strip())}</pre></div>\n'


def _seen(statement: Statement) -> str:
    """What was observed, as a small table; rows without anything are left out."""
    scanned = grouped(statement.tuples_scanned) if statement.tuples_scanned else ""
    changed = grouped(statement.rows_changed) if statement.rows_changed else ""
    rows = {
        "Locks": "; ".join(_lock(lock) for lock in statement.locks),
        "Rows read under them": scanned,
        "Rows changed": changed,
        "Given new storage": ", ".join(statement.rewritten),
        "Opinions": "; ".join(opinion(given) for given in statement.opinions),
    }
    cells = [
        f"<tr><th>{name}</th><td>{_e(value)}</td></tr>" for name, value in rows.items() if value
    ]
    return f"<table>{''.join(cells)}</table>\n" if cells else ""


def _lock(lock: Lock) -> str:
    return f"{lock.mode} on {one_line(lock.relation)} ({lock.blocks} wait)".replace(
        "nothing wait", "nothing waits"
    )


def _there_and_back(trip: RoundTrip) -> Iterator[str]:
    said = [f"The way back fails: {trip.error}"] if trip.error is not None else []
    said += [f"The schema after both is {trip.schema}."] if trip.schema != "not reached" else []
    if trip.lost:
        said.append(f"Data that is not what it was: {', '.join(trip.lost)}.")
    elif trip.schema != "not reached":
        said.append("All data is what it was.")
    yield f"<h3>There and back</h3>\n<p>{_e(' '.join(said) or 'It was not reached.')}</p>\n"
    if trip.difference:
        yield f"<pre>{_e(trip.difference)}</pre>\n"


def _list(heading: str, items: Iterable[str]) -> str:
    lines = "".join(f"<li>{_e(item)}</li>" for item in items)
    return f"<h3>{heading}</h3>\n<ul>{lines}</ul>\n" if lines else ""
