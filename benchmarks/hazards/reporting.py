"""The results as Markdown and as JSON."""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.hazards.judging import Judged, Plan, Results
from benchmarks.lab.tables import table

HEAD = ("", "hazards found", "hazards missed", "false alarms", "rightly silent")


def tables(results: Results, plan: Plan) -> str:
    """The fourfold tables, and where the judges differ from what was measured."""
    parts = []
    for major in plan.majors:
        judged = results.of(major)
        parts += [f"### PostgreSQL {results.versions[major]}, {len(judged)} changes"]
        parts += [_fourfold(judged, results.squawk), _exactness(judged, plan)]
    parts += [_disagreements(results.of(plan.majors[0]))]
    return "\n\n".join(parts)


def _fourfold(judged: Sequence[Judged], squawk: str) -> str:
    rows = [
        ["`kingpost db rehearse`", *_counts(judged, lambda one: one.alarm)],
        [f"squawk {squawk}", *_counts(judged, lambda one: bool(one.rules))],
    ]
    return table(HEAD, rows)


def _counts(judged: Sequence[Judged], alarm: Callable[[Judged], bool]) -> list[str]:
    wanted = ((True, True), (True, False), (False, True), (False, False))
    counted = [
        sum((one.harms, alarm(one)) == (harms, alarmed) for one in judged)
        for harms, alarmed in wanted
    ]
    return [str(count) for count in counted]


def _exactness(judged: Sequence[Judged], plan: Plan) -> str:
    exact = sum(one.exact for one in judged)
    wavering = sum(len(set(one.verdicts)) > 1 for one in judged)
    brief = sum(bool(one.rules) and one.expected == "brief-lock" for one in judged)
    text = f"The very verdict of the nine: {exact} of {len(judged)}."
    if plan.repetitions > 1:
        text += f"\nNot the same in all {plan.repetitions} repetitions: {wavering}."
    return f"{text}\nOf squawk's false alarms, {brief} are on changes that take a brief lock."


def _disagreements(judged: Sequence[Judged]) -> str:
    missed = [one for one in judged if one.harms and not one.rules]
    false = [one for one in judged if not one.harms and one.rules]
    parts = [
        "### What squawk cannot see in the text",
        table(("change", "verdict"), [[str(one.case), one.expected] for one in missed]),
        "### What squawk warns of and does no harm",
        table(
            ("change", "verdict", "rules"),
            [[str(one.case), one.expected, ", ".join(one.rules)] for one in false],
        ),
    ]
    if wrong := [one for one in judged if not one.exact]:
        rows = [[str(one.case), one.expected, ", ".join(one.verdicts)] for one in wrong]
        parts += ["### Where the rehearsal is wrong"]
        parts += [table(("change", "measured", "rehearsed"), rows)]
    return "\n\n".join(parts)


def as_json(results: Results, context: dict[str, Any]) -> dict[str, Any]:
    """All of it, for other programs."""
    return {
        **context,
        "squawk": results.squawk,
        "postgres": results.versions,
        "changes": [
            {
                "hazard": one.case.number or None,
                "name": one.case.name,
                "sql": one.case.change.strip(),
                "major": one.major,
                "measured": one.expected,
                "rehearsed": sorted(set(one.verdicts)),
                "squawk": one.rules,
                "seconds": round(one.seconds / len(one.verdicts), 2),
            }
            for one in results.judged
        ],
    }
