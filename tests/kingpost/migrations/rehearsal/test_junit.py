"""What a CI shows."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from tests.kingpost.migrations.rehearsal.sample_reports import BREAKS, BRIEF, FREE, UNSAFE, report

from kingpost.migrations.rehearsal.junit import as_junit
from kingpost.migrations.rehearsal.report import Report, RoundTrip
from kingpost.migrations.rehearsal.verdicts import Verdict


def parsed(made: Report) -> ET.Element:
    return ET.fromstring(as_junit(made))  # noqa: S314 - our own document


def test_each_statement_is_a_test_case_and_the_way_there_and_back_is_one() -> None:
    cases = parsed(report(FREE, BRIEF, UNSAFE)).findall(".//testcase")

    assert [case.get("name") for case in cases] == [
        "1: CREATE TABLE orders (id bigint)",
        "2: ALTER TABLE posts ADD COLUMN views bigint",
        "3: CREATE INDEX ix_posts_title ON posts (title)",
        "there and back",
    ]
    assert [case.find("failure") is not None for case in cases] == [False, False, True, False]
    assert (cases[2].get("file"), cases[2].get("line")) == ("versions/a1.py", "17")
    assert cases[2].get("time") == "0.087"


def test_a_failure_says_why_and_what_to_do_instead() -> None:
    failure = parsed(report(UNSAFE)).find(".//failure")

    assert failure is not None
    assert failure.get("type") == "unsafe-lock"
    assert str(failure.get("message")).startswith("reads 10 000 rows of posts")
    assert "do instead:\nop.create_index_online(" in str(failure.text)
    assert "in: CREATE INDEX ix_posts_title" in str(failure.text)


def test_the_numbers_of_the_suite_are_those_of_its_cases() -> None:
    root = parsed(report(FREE, UNSAFE, BREAKS))

    for element in (root, *root.findall("testsuite")):
        assert (element.get("tests"), element.get("failures")) == ("4", "2")
        assert (element.get("skipped"), element.get("errors")) == ("0", "0")


def test_what_a_person_answers_for_is_skipped_with_the_reason() -> None:
    root = parsed(report(UNSAFE, reason="four rows"))

    assert root.find(".//failure") is None
    skipped = root.find(".//skipped")
    assert skipped is not None
    assert skipped.get("message") == "unsafe-lock, accepted, reason: four rows"


def test_a_way_back_that_loses_data_fails_although_each_statement_is_safe() -> None:
    trip = RoundTrip("different", "-a\n+b", ("posts.body",))
    failure = parsed(report(FREE, verdict=Verdict.LOSSY, round_trip=trip)).find(".//failure")

    assert failure is not None
    assert failure.get("message") == "after there and back, data is missing: posts.body"
    assert "-a\n+b" in str(failure.text)


@pytest.mark.parametrize("hostile", ["\x00", "\x1b[1m", "]]>", "<x>", '"&', "\ud800", "\ufffe"])
def test_any_text_gives_a_document_that_parses(hostile: str) -> None:
    made = report(
        replace(UNSAFE, sql=f"SELECT '{hostile}'", reasons=(hostile,), advice=hostile),
        name=f"n{hostile}",
        title=hostile,
    )
    root = ET.fromstring(as_junit(made).encode())  # noqa: S314 - our own document

    shown = "\ufffd" if hostile in {"\x00", "\ud800", "\ufffe"} else hostile[-2:]
    assert shown in str(root.find(".//failure").text)  # type: ignore[union-attr] # it is there
