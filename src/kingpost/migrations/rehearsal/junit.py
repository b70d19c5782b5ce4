"""A rehearsal as JUnit's XML, which every CI shows."""

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from kingpost.migrations.rehearsal.report import Live, Report, Revision, Statement
from kingpost.migrations.rehearsal.verdicts import Verdict, worst
from kingpost.migrations.rehearsal.wording import (
    evidence,
    one_line,
    opinion,
    printable,
    title,
    under_traffic,
)


def as_junit(report: Report) -> str:
    """Makes a test case of each statement, and one of each revision as a whole.

    What a person has answered for, by the contract phase or by a reason, is skipped with that
    as its message; all else that does not pass is a failure with its reasons and the advice.

    Args:
        report: of the rehearsal.

    Returns:
        An XML document.
    """
    root = ET.Element("testsuites", name="kingpost db rehearse", time=f"{report.seconds:.3f}")
    for revision in report.revisions:
        suite = ET.SubElement(root, "testsuite", name=printable(title(revision)))
        for case in _cases(revision):
            suite.append(case)
        _traffic(suite, report.live.get(revision.name), report.back.get(revision.name))
        _count(suite)
    _count(root)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _traffic(suite: ET.Element, live: Live | None, back: Live | None) -> None:
    ways = (("under traffic", live), ("the way back under traffic", back))
    told = [f"{way}: {under_traffic(seen)}" for way, seen in ways if seen and seen.sent]
    if told:
        ET.SubElement(suite, "system-out").text = printable("\n".join(told))


def _cases(revision: Revision) -> Iterator[ET.Element]:
    for number, statement in enumerate(revision.statements, 1):
        way = "undo " if statement.undo else ""
        name = f"{way}{number}: {one_line(statement.sql, 160)}"
        case = _case(revision, name, statement.verdict, _text_of(statement))
        if statement.place:
            file, _, line = statement.place.rpartition(":")
            case.set("file", printable(file))
            case.set("line", line)
        if None not in (statement.started_ms, statement.ended_ms):
            took = (statement.ended_ms or 0) - (statement.started_ms or 0)
            case.set("time", f"{took / 1000:.3f}")
        yield case
    explained = worst(statement.verdict for statement in revision.statements)
    whole = revision.verdict if revision.verdict.severity > explained.severity else Verdict.SAFE
    yield _case(revision, "there and back", whole, _text_of_whole(revision))


def _case(revision: Revision, name: str, verdict: Verdict, text: str) -> ET.Element:
    case = ET.Element("testcase", classname=printable(revision.name), name=name)
    if verdict.passes:
        return case
    if revision.accepted:
        said = f"reason: {revision.reason}" if revision.reason else "contract phase"
        ET.SubElement(case, "skipped", message=printable(f"{verdict}, accepted, {said}"))
    else:
        message = one_line(text.partition("\n")[0] or str(verdict), 200)
        body = ET.SubElement(case, "failure", type=str(verdict), message=message)
        body.text = printable(text)
    return case


def _text_of(statement: Statement) -> str:
    lines = [*statement.reasons, *evidence(statement)]
    lines += [opinion(given) for given in statement.opinions]
    advice = [f"do instead:\n{statement.advice}"] if statement.advice else []
    return "\n".join([*lines, *advice, f"in: {statement.sql}"])


def _text_of_whole(revision: Revision) -> str:
    lines = [f"left INVALID: {name}" for name in revision.invalid]
    lines += [f"left NOT VALID: {name}" for name in revision.unvalidated]
    trip = revision.round_trip
    if trip is not None:
        lines += [f"the way back fails: {trip.error}"] if trip.error else []
        lines += [f"after there and back, data is missing: {', '.join(trip.lost)}"] * bool(
            trip.lost
        )
        lines += [f"after there and back, the schema is {trip.schema}", trip.difference]
    return "\n".join(line for line in lines if line)


def _count(suite: ET.Element) -> None:
    suite.set("tests", str(len(suite.findall(".//testcase"))))
    suite.set("failures", str(len(suite.findall(".//failure"))))
    suite.set("errors", "0")
    suite.set("skipped", str(len(suite.findall(".//skipped"))))
