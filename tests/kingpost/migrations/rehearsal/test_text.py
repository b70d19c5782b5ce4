"""What a person reads in the terminal."""

from dataclasses import replace

import pytest
from tests.kingpost.migrations.rehearsal.sample_reports import (
    BREAKS,
    BRIEF,
    EQUAL,
    FREE,
    UNSAFE,
    report,
    several,
    with_live,
)

from kingpost.migrations.rehearsal.report import Live, Revision, RoundTrip, Statement
from kingpost.migrations.rehearsal.text import as_text
from kingpost.migrations.rehearsal.verdicts import Verdict
from kingpost.migrations.rehearsal.wording import duration


@pytest.mark.parametrize("statements", [(FREE,), (BRIEF,), (FREE,) * 40])
def test_a_change_that_passes_takes_three_to_five_lines(statements: tuple) -> None:
    back = replace(FREE, undo=True)

    assert 3 <= len(as_text(report(*statements)).splitlines()) <= 5
    assert len(as_text(with_live(report(FREE, *[back] * 40))).splitlines()) <= 6


def test_a_brief_lock_is_explained_once_and_what_frames_a_transaction_is_left_out() -> None:
    begin, commit = replace(FREE, sql="BEGIN"), replace(FREE, sql="commit;")
    text = as_text(report(begin, BRIEF, BRIEF, commit, UNSAFE, UNSAFE))

    assert text.count("brief  versions/a1.py:14") == 2
    assert text.count("brief-lock: takes ACCESS EXCLUSIVE") == 1
    assert text.count("unsafe-lock: reads 10 000 rows") == 2
    assert "BEGIN" not in text
    assert "commit;" not in text


def test_the_verdict_comes_first_and_what_to_do_next_comes_last() -> None:
    first, *_, last = as_text(report(FREE, UNSAFE)).splitlines()

    assert first.startswith('UNSAFE-LOCK: a1 "count the views": others wait while it works')
    assert "PostgreSQL 18.4, 10 000 rows a table, 6.2 s" in first
    assert last.startswith("Next: do what it says instead, then rehearse it again; or answer for")


def test_the_worst_comes_first_and_the_way_back_below() -> None:
    undone, unsafe_back = replace(FREE, undo=True), replace(UNSAFE, undo=True)
    lines = as_text(report(FREE, undone, unsafe_back, BRIEF, UNSAFE, BREAKS)).splitlines()
    marks = [line[2:14].strip() for line in lines if line[2:8].strip() and line[1:2] == " "]

    assert [mark.split("  ")[0] for mark in marks if mark[:2] in {"UN", "br", "ok"}] == [
        "UNSAFE ALTER",
        "UNSAFE versi",
        "UNSAFE undo",
        "brief",
        "ok",
        "ok",
    ]


def test_an_unsafe_statement_says_where_why_and_what_to_do_instead() -> None:
    text = as_text(report(UNSAFE))

    assert "UNSAFE versions/a1.py:17  CREATE INDEX ix_posts_title ON posts (title)" in text
    assert "unsafe-lock: reads 10 000 rows of posts while it holds SHARE" in text
    assert "the traffic waited 84 ms for it here" in text
    assert 'do instead: op.create_index_online("ix_posts_title", "posts", ["title"])' in text


def test_advice_of_several_lines_stays_code_that_can_be_pasted() -> None:
    lines = as_text(report(replace(UNSAFE, advice="with x():\n    op.y()"))).splitlines()
    at = next(n for n, line in enumerate(lines) if "do instead" in line)
    shift = lines[at].index("with")

    assert [line[shift:] for line in lines[at : at + 2]] == ["with x():", "    op.y()"]


def test_failures_of_the_traffic_are_told_with_their_code_and_query() -> None:
    assert (
        'the old version gets 42703 column "body" does not exist, 3 times: SELECT body FROM posts'
    ) in as_text(report(BREAKS))


def test_a_failure_that_a_reason_tells_of_is_told_once() -> None:
    reason = "SELECT body FROM posts of the old version fails with 42703"
    text = as_text(report(replace(BREAKS, reasons=(reason,))))

    assert text.count("42703") == 1


def test_opinions_of_squawk_are_confirmed_or_refuted() -> None:
    text = as_text(report(UNSAFE))

    assert "squawk's require-concurrent-index-creation: confirmed" in text
    assert "squawk's prefer-robust-stmts: refuted" in text


def test_opinions_on_what_passes_take_one_line_each_outcome() -> None:
    objected = replace(FREE, opinions=(UNSAFE.opinions[1], replace(UNSAFE.opinions[1], rule="b")))
    lines = as_text(report(*[objected] * 9)).splitlines()

    assert "squawk, on what passes here, refuted: prefer-robust-stmts, b" in lines
    assert len(lines) <= 5


def test_the_traffic_is_summed_up_in_one_line_unless_there_was_none() -> None:
    made = with_live(report(UNSAFE))

    assert (
        "Under traffic: 5 021 sent (generated statements), 1 failed with 42703, "
        "the slowest 84 ms; 8 waited, the longest 84 ms"
    ) in as_text(made)
    assert "Under traffic" not in as_text(replace(made, live={"a1": Live()}))


def test_what_was_left_behind_and_what_is_assumed_are_told() -> None:
    made = report(
        FREE,
        verdict=Verdict.PARTIAL,
        invalid=("ix_a",),
        unvalidated=("ck_b",),
        assumptions=("no two posts have one title",),
        round_trip=RoundTrip("different", "--- a\n+++ b\n-x\n+y\n z", ("posts.body",), None),
    )
    text = as_text(replace(made, not_filled=("places: no row satisfies ck_odd",)))

    for line in (
        "Left INVALID: ix_a",
        "Left NOT VALID: ck_b",
        "Assumes: no two posts have one title",
        "There and back: schema different, missing: posts.body",
        "         -x\n         +y\n",
        "Not filled, so not rehearsed with rows: places: no row satisfies ck_odd",
    ):
        assert line in text
    assert "-- a" not in text


def test_a_way_back_that_fails_is_told() -> None:
    trip = RoundTrip("not reached", error="42P01: relation does not exist")

    assert "The way back fails: 42P01: relation does not exist" in as_text(
        report(FREE, round_trip=trip)
    )


def test_a_revision_that_fails_before_its_first_statement_is_told_so() -> None:
    failed = Statement("", Verdict.ERROR, reasons=("fails with ImportError: no name",))

    assert "  FAILED before any statement\n" in as_text(report(failed))


def test_an_accepted_change_says_why_it_may_pass() -> None:
    contract, reason = report(BREAKS, phase="contract"), report(UNSAFE, reason="the table is tiny")

    assert as_text(contract).splitlines()[-1].startswith("Accepted, as a contract phase")
    assert as_text(reason).splitlines()[-1].endswith("since the revision says: the table is tiny")


def test_what_would_pass_as_a_contract_is_told_to_say_so() -> None:
    mark = 'or mark it `phase = "contract"`, if only an older version uses that'
    lost = replace(EQUAL, lost=("posts.body",))

    assert mark in as_text(report(BREAKS))
    assert mark in as_text(report(FREE, verdict=Verdict.LOSSY, round_trip=lost))
    for no_contract in (
        report(UNSAFE),
        report(BREAKS, phase="contract", round_trip=RoundTrip("different")),
        report(BREAKS, round_trip=RoundTrip("different")),
        report(BREAKS, reason="nobody reads it"),
    ):
        assert mark not in as_text(no_contract)
    assert mark not in as_text(report(BREAKS), script=True)


def test_a_script_has_no_mark_to_accept_it_with() -> None:
    assert "rehearsal_reason" not in as_text(report(UNSAFE), script=True)
    assert "kingpost db upgrade" not in as_text(report(FREE), script=True)


def test_several_revisions_have_a_line_each_below_the_worst_verdict() -> None:
    lines = as_text(
        several(
            Revision("a1", Verdict.SAFE, "first"), Revision("b2", Verdict.UNSAFE_LOCK, "second")
        )
    ).splitlines()

    assert lines[0].startswith("UNSAFE-LOCK: 2 revisions")
    assert 'safe: a1 "first"' in lines
    assert 'unsafe-lock: b2 "second"' in lines


def test_sql_cannot_steer_the_terminal() -> None:
    hostile = replace(UNSAFE, sql="SELECT '\x1b[2J\u202e'\n;\r\nDROP", advice="\x1b]0;x\x07")
    text = as_text(report(hostile))

    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(text)
    assert "; DROP" in text


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (0.42, "0.4 ms"),
        (84.25, "84 ms"),
        (999.0, "999 ms"),
        (9_000.0, "9 s"),
        (104_400, "104 s"),
        (300_000.0, "5 min"),
        (12_600_000.0, "3.5 h"),
    ],
)
def test_a_time_has_the_unit_that_a_person_would_take(milliseconds: float, said: str) -> None:
    assert duration(milliseconds) == said
