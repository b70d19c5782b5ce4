"""What a program reads."""

import json
from dataclasses import replace

import pytest
from tests.kingpost.migrations.rehearsal.sample_reports import (
    BREAKS,
    FREE,
    UNSAFE,
    report,
    several,
    with_live,
)

from kingpost.migrations.rehearsal.machine import as_json
from kingpost.migrations.rehearsal.report import Report, Revision, RoundTrip
from kingpost.migrations.rehearsal.verdicts import Verdict


def test_one_change_has_the_keys_that_programs_rely_on() -> None:
    document = as_json(report(UNSAFE, invalid=("ix_a",)))

    assert {"verdict", "statements", "invalid", "round_trip"} <= document.keys()
    assert document["verdict"] == "unsafe-lock"
    assert document["invalid"] == ["ix_a"]
    assert document["round_trip"] == {
        "schema": "equal",
        "difference": "",
        "lost": [],
        "error": None,
    }
    (statement,) = document["statements"]
    assert statement["sql"] == "CREATE INDEX ix_posts_title ON posts (title)"
    assert statement["verdict"] == "unsafe-lock"
    assert statement["tuples_scanned"] == 10_000
    assert statement["rewritten"] == []
    assert statement["waited_ms"] == 84.25
    assert statement["errors"] == []
    assert statement["locks"] == [{"relation": "posts", "mode": "SHARE", "blocks": "writes"}]


def test_an_error_of_the_traffic_has_its_code_query_and_version() -> None:
    (error,) = as_json(report(BREAKS))["statements"][0]["errors"]

    assert (error["sqlstate"], error["version"], error["times"]) == ("42703", "old", 3)
    assert error["query"] == "SELECT body FROM posts"


@pytest.mark.parametrize("made", [with_live(report(FREE, UNSAFE, BREAKS)), Report(())])
def test_the_document_is_json_without_loss(made: Report) -> None:
    document = as_json(made)

    assert json.loads(json.dumps(document, allow_nan=False)) == document
    for statement in document["statements"]:
        assert type(statement["verdict"]) is str


def test_the_statements_of_several_revisions_stand_one_behind_the_other() -> None:
    made = several(
        Revision("a1", Verdict.SAFE, statements=(FREE,), round_trip=RoundTrip("equal")),
        Revision(
            "b2", Verdict.UNSAFE_LOCK, statements=(UNSAFE,), round_trip=RoundTrip("different")
        ),
    )
    document = as_json(made)

    assert [it["revision"] for it in document["statements"]] == ["a1", "b2"]
    assert [it["name"] for it in document["revisions"]] == ["a1", "b2"]
    assert [it["verdict"] for it in document["revisions"]] == ["safe", "unsafe-lock"]
    assert document["round_trip"]["schema"] == "different"


def test_a_way_back_that_fails_is_worse_than_one_to_another_schema() -> None:
    failed, other = RoundTrip("not reached", error="42P01: gone"), RoundTrip("different")
    made = several(
        *(Revision("a", Verdict.SAFE, round_trip=trip) for trip in (failed, other, None))
    )

    assert as_json(made)["round_trip"]["error"] == "42P01: gone"


def test_without_a_way_back_there_is_no_round_trip() -> None:
    assert as_json(report(FREE, round_trip=None))["round_trip"] is None


def test_a_change_that_a_person_answers_for_is_accepted_and_keeps_its_verdict() -> None:
    made = report(BREAKS, phase="contract", name="c3")
    document = as_json(made)

    assert document["verdict"] == "breaks-app"
    assert document["accepted"]
    assert not as_json(replace(made, revisions=(*made.revisions, *report(UNSAFE).revisions)))[
        "accepted"
    ]


def test_the_traffic_is_summed_up_with_everybody_who_waited() -> None:
    live = as_json(with_live(report(FREE, UNSAFE)))["live"]["a1"]

    assert (live["sent"], live["failed"], live["slowest_ms"]) == (5021, 1, 84.25)
    assert live["waits"][0]["relation"] == "posts"
