"""The page that one can read without being told how."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from tests.kingpost.migrations.rehearsal.sample_reports import (
    BREAKS,
    BRIEF,
    FREE,
    UNSAFE,
    report,
    several,
    with_live,
)

from kingpost.migrations.rehearsal.page import as_html
from kingpost.migrations.rehearsal.report import Live, Lock, Report, Revision, Sample
from kingpost.migrations.rehearsal.verdicts import Verdict

HOSTILE = "</pre></title></style><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\x00\x1b"
VOID = {"meta", "rect", "line", "circle", "path"}


class Seen(HTMLParser):
    """The elements of a page, and whether each is closed where it has to be."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [str(value) for name, value in attrs if name in {"href", "src"}]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def drawing(made: Report) -> ET.Element:
    page = as_html(made)
    return ET.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])  # noqa: S314 - our own document


def of_kind(drawn: ET.Element, kind: str) -> list[ET.Element]:
    return [element for element in drawn.iter() if kind in str(element.get("class")).split()]


def words(drawn: ET.Element) -> list[str]:
    return [str(element.text) for element in drawn.iter("text")]


def test_the_page_is_one_file_that_asks_for_nothing() -> None:
    page = as_html(with_live(report(FREE, BRIEF, UNSAFE, BREAKS)))
    seen = Seen(page)

    assert seen.addresses == []
    assert not {"script", "link", "img", "iframe", "object"} & set(seen.tags)
    assert not re.search(r"url\(|@import|https?:", page)
    assert "default-src 'none'" in page


def test_nothing_of_the_sql_becomes_a_part_of_the_page() -> None:
    hostile = replace(
        UNSAFE,
        sql=HOSTILE,
        reasons=(HOSTILE,),
        advice=HOSTILE,
        place=HOSTILE,
        error=HOSTILE,
        rewritten=(HOSTILE,),
        locks=(Lock(HOSTILE, "SHARE", "writes"),),
        errors=(replace(BREAKS.errors[0], message=HOSTILE, query=HOSTILE, sqlstate=HOSTILE),),
        opinions=(replace(UNSAFE.opinions[0], rule=HOSTILE),),
    )
    fields = {"name": HOSTILE, "title": HOSTILE, "reason": HOSTILE, "phase": HOSTILE}
    lists = dict.fromkeys(("invalid", "unvalidated", "assumptions"), (HOSTILE,))
    trip = replace(report(FREE).revisions[0].round_trip, difference=HOSTILE, lost=(HOSTILE,))  # type: ignore[type-var] # it has one
    made = with_live(report(hostile, round_trip=trip, **fields, **lists))
    live = made.live[HOSTILE]
    waits = tuple(replace(it, query=HOSTILE, relation=HOSTILE) for it in live.waits)
    samples = (*live.samples, Sample(50.0, 1.0, HOSTILE, failed=HOSTILE))
    live = replace(live, waits=waits, samples=samples, traffic=HOSTILE)
    page = as_html(replace(made, live={HOSTILE: live}, not_filled=(HOSTILE,), server=HOSTILE))
    seen = Seen(page)

    assert not {"script", "img"} & set(seen.tags)
    assert "onerror" not in seen.attributes
    assert "\x00" not in page
    assert "\x1b" not in page
    assert page.count("&lt;script&gt;") > 15


def test_the_page_says_how_to_read_it() -> None:
    page = as_html(with_live(report(FREE, UNSAFE)))

    assert "Time runs from left to right." in page
    assert (
        "each dot is one statement or request of the running version, the higher the slower" in page
    )
    assert "waited for a lock of the change" in page


def test_the_timeline_has_the_statements_in_the_colour_of_their_verdict() -> None:
    drawn = drawing(with_live(report(replace(FREE, started_ms=0.0, ended_ms=3.0), BRIEF, UNSAFE)))

    assert len(of_kind(drawn, "s-safe")) == len(of_kind(drawn, "s-brief-lock")) == 1
    assert len(of_kind(drawn, "s-unsafe-lock")) == 1
    assert [it.text for it in of_kind(drawn, "number")] == ["1", "2", "3"]


def test_a_lock_is_drawn_until_its_transaction_ends() -> None:
    drawn = drawing(with_live(report(BRIEF, UNSAFE)))
    (bar,), (unsafe,) = of_kind(drawn, "lock-all"), of_kind(drawn, "s-unsafe-lock")

    assert end_of(bar) == pytest.approx(end_of(unsafe), abs=0.2)
    assert "lock on posts" in words(drawn)
    assert "ACCESS EXCLUSIVE: reads and writes wait" in words(drawn)


def test_a_lock_outside_of_a_transaction_ends_with_its_statement() -> None:
    drawn = drawing(with_live(report(replace(BRIEF, transaction=None), UNSAFE)))
    (bar,), (brief,) = of_kind(drawn, "lock-all"), of_kind(drawn, "s-brief-lock")

    assert end_of(bar) == pytest.approx(end_of(brief), abs=0.2)


def test_a_lock_that_is_taken_twice_is_two_bars_in_one_lane() -> None:
    again = replace(BRIEF, transaction=2, started_ms=100.0, ended_ms=110.0)
    bars = of_kind(drawing(with_live(report(BRIEF, UNSAFE, again))), "lock-all")

    assert len(bars) == 2
    assert end_of(bars[0]) < float(bars[1].get("x", "0"))
    assert bars[0].get("y") == bars[1].get("y")


def end_of(bar: ET.Element) -> float:
    return float(bar.get("x", "0")) + float(bar.get("width", "0"))


def test_each_one_that_waited_is_a_line_from_its_question_to_its_answer() -> None:
    made = with_live(report(BRIEF, UNSAFE))
    lines = of_kind(drawing(made), "wait")

    assert len(lines) == len(made.live["a1"].waits) == 8
    starts = [float(line.get("x1", "0")) for line in lines]
    assert starts == sorted(starts)
    assert all(float(line.get("x2", "0")) > float(line.get("x1", "0")) for line in lines)


def test_the_clock_of_the_page_begins_with_the_change() -> None:
    live = Live(((0, 5000.0, 5060.0),), (), (), 2, 0, 50.0)
    drawn = drawing(replace(report(BRIEF), live={"a1": live}))
    (zero,) = [it for it in of_kind(drawn, "tick") if it.text == "0 ms"]
    (bar,) = of_kind(drawn, "s-brief-lock")

    assert float(zero.get("x", "0")) == pytest.approx(float(bar.get("x", "0")), abs=0.2)
    assert "40 ms" in words(drawn)


def test_a_slower_statement_of_the_traffic_is_higher() -> None:
    samples = (Sample(5, 1.0, "fast"), Sample(15, 50.0, "slow"))
    live = Live(((0, 0.0, 20.0),), (), samples, 2, 0, 50.0)
    dots = of_kind(drawing(replace(report(BRIEF), live={"a1": live})), "dot")

    fast, slow = sorted(dots, key=lambda dot: float(dot.get("cx", "0")))
    assert float(slow.get("cy", "0")) < float(fast.get("cy", "0"))


def test_failures_are_crosses_and_all_of_them_are_drawn_among_thousands() -> None:
    samples = tuple(
        Sample(n / 100, 1.0, "q", failed="42703" if n % 100 == 0 else "") for n in range(5000)
    )
    live = Live(((0, 0.0, 60.0),), (), samples, 5000, 50, 1.0)
    drawn = drawing(replace(report(BRIEF), live={"a1": live}))

    assert len(of_kind(drawn, "failed")) == 50
    assert 0 < len(of_kind(drawn, "dot")) <= 1500


def test_without_a_live_pass_there_is_no_timeline() -> None:
    assert "<svg" not in as_html(report(UNSAFE))
    assert "<svg" not in as_html(replace(report(FREE), live={"a1": Live()}))


def test_each_revision_has_its_part_of_the_page() -> None:
    page = as_html(
        several(
            Revision("a1", Verdict.SAFE, "first", statements=(FREE,)),
            Revision("b2", Verdict.UNSAFE_LOCK, "second", statements=(UNSAFE,)),
        )
    )

    assert page.count("<section>") == 2
    assert page.count("<h2>") == 2
    assert "a1 &quot;first&quot;" in page


def test_the_page_follows_the_wish_for_dark_and_light() -> None:
    assert "color-scheme: light dark" in as_html(report(FREE))
    assert "@media (prefers-color-scheme: dark)" in as_html(report(FREE))
