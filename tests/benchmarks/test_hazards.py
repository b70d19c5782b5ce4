import pytest
from benchmarks.hazards import reporting, squawk
from benchmarks.hazards.__main__ import arguments
from benchmarks.hazards.judging import Judged, Plan, Results, cases
from tests.kingpost.migrations.hazards.case import Case

from kingpost.migrations.rehearsal.verdicts import Verdict


def judged(name: str, measured: Verdict, rehearsed: Verdict, *rules: str) -> Judged:
    return Judged(Case(name, "SELECT 1;", measured), 18, (rehearsed,), rules, 1.0)


RESULTS = Results(
    [
        judged("found by both", Verdict.UNSAFE_LOCK, Verdict.UNSAFE_LOCK, "some-rule"),
        judged("found by one", Verdict.BREAKS_APP, Verdict.UNSAFE_LOCK),
        judged("found by none", Verdict.ERROR, Verdict.SAFE),
        judged("a false alarm of squawk", Verdict.BRIEF_LOCK, Verdict.BRIEF_LOCK, "other-rule"),
        judged("silence", Verdict.SAFE, Verdict.SAFE),
        judged("more silence", Verdict.SAFE, Verdict.SAFE),
    ],
    {18: "18.4"},
    "2.70.0",
)


def test_a_change_is_counted_in_one_of_four_fields_for_each_judge() -> None:
    shown = reporting.tables(RESULTS, Plan(majors=(18,)))

    assert "| `kingpost db rehearse` | 2 | 1 | 0 | 3 |" in shown
    assert "| squawk 2.70.0 | 1 | 2 | 1 | 2 |" in shown


def test_another_verdict_than_the_measured_one_is_named_though_it_is_an_alarm() -> None:
    shown = reporting.tables(RESULTS, Plan(majors=(18,)))

    assert "The very verdict of the nine: 4 of 6." in shown
    assert "| found by one | breaks-app | unsafe-lock |" in shown


def test_a_version_that_does_not_understand_a_change_makes_it_an_error() -> None:
    change = Case("new", "SELECT 1;", Verdict.BRIEF_LOCK, since=18)

    assert [change.expected(major) for major in (18, 16)] == [Verdict.BRIEF_LOCK, Verdict.ERROR]


def test_squawk_is_asked_without_its_rules_of_style() -> None:
    assert squawk.rules("CREATE TABLE a (b int, c varchar(5));", 18) == ()
    assert squawk.rules("CREATE INDEX a ON b (c);", 18) == ("require-concurrent-index-creation",)


def test_a_part_of_the_changes_is_never_written_as_the_result() -> None:
    with pytest.raises(SystemExit):
        arguments(["--write", "--only", "index"])

    assert arguments(["--only", "index"]).only == "index"
    assert len(cases(Plan(every=2))) < len(cases(Plan()))
