"""What the rehearsal means for tables as large as those of production."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.kingpost.migrations.rehearsal.sample_reports import BREAKS, BRIEF, UNSAFE, report

from kingpost.migrations.rehearsal.estimates import with_estimates
from kingpost.migrations.rehearsal.report import Lock, Report, RoundTrip, Statement
from kingpost.migrations.rehearsal.statistics import (
    STATISTICS_SQL,
    StatisticsError,
    read_statistics,
)
from kingpost.migrations.rehearsal.verdicts import Verdict
from kingpost.testing.databases import execute


def first(made: Report) -> Statement:
    return made.revisions[0].statements[0]


def test_the_time_grows_with_the_rows_of_production() -> None:
    statement = first(with_estimates(report(UNSAFE), {"posts": 12_000_000}))

    assert statement.estimated_ms == pytest.approx(87.0 * 1200)
    assert "in production, 12 000 000 rows: about 104 s" in statement.reasons
    assert statement.verdict is Verdict.UNSAFE_LOCK


def test_a_small_table_makes_it_a_brief_lock_and_says_so() -> None:
    made = with_estimates(report(UNSAFE), {"posts": 999})

    assert made.verdict is Verdict.BRIEF_LOCK
    assert first(made).reasons[-1].endswith("since production has little in posts (999 rows)")
    assert first(made).advice == ""


def test_a_thousand_rows_are_not_small() -> None:
    assert with_estimates(report(UNSAFE), {"posts": 1000}).verdict is Verdict.UNSAFE_LOCK


@pytest.mark.parametrize("statistics", [{}, {"users": 5}, {"posts": 5}])
def test_a_table_of_unknown_size_is_not_taken_for_small(statistics: dict[str, int]) -> None:
    reads = Lock("comments", "ACCESS SHARE", "nothing")
    statement = replace(UNSAFE, locks=(*UNSAFE.locks, reads))

    assert with_estimates(report(statement), statistics).verdict is Verdict.UNSAFE_LOCK


def test_a_large_table_that_is_only_read_keeps_the_lock_of_a_small_one_unsafe() -> None:
    reads = Lock("comments", "ACCESS SHARE", "nothing")
    made = report(replace(UNSAFE, locks=(*UNSAFE.locks, reads)))

    assert with_estimates(made, {"posts": 5, "comments": 9_000_000}).verdict is Verdict.UNSAFE_LOCK
    assert with_estimates(made, {"posts": 5, "comments": 5}).verdict is Verdict.BRIEF_LOCK


def test_only_unsafe_locks_are_forgiven() -> None:
    made = with_estimates(report(BREAKS, BRIEF), {"posts": 5})

    assert made == report(BREAKS, BRIEF)


@pytest.mark.parametrize(
    ("trip", "verdict"),
    [
        (RoundTrip("equal"), Verdict.BRIEF_LOCK),
        (RoundTrip("equal but for the order of columns"), Verdict.BRIEF_LOCK),
        (RoundTrip("different"), Verdict.NOT_REVERSIBLE),
        (RoundTrip("not reached", error="42P01: gone"), Verdict.NOT_REVERSIBLE),
        (RoundTrip("equal", lost=("posts.title",)), Verdict.LOSSY),
    ],
)
def test_what_the_unsafe_lock_has_hidden_comes_to_light(trip: RoundTrip, verdict: Verdict) -> None:
    assert with_estimates(report(UNSAFE, round_trip=trip), {"posts": 5}).verdict is verdict


def test_without_a_live_pass_there_is_no_estimate() -> None:
    timeless = replace(UNSAFE, started_ms=None, ended_ms=None)

    assert first(with_estimates(report(timeless), {"posts": 10**7})).estimated_ms is None


@pytest.mark.parametrize("rows", [5, 12_000_000])
def test_estimates_applied_twice_change_nothing(rows: int) -> None:
    once = with_estimates(report(UNSAFE), {"posts": rows})

    assert with_estimates(once, {"posts": rows}) == once


def test_the_query_makes_the_file_that_is_read(empty_database_url: str, tmp_path: Path) -> None:
    made = execute(
        empty_database_url,
        "CREATE TABLE posts AS SELECT generate_series(1, 1500) AS id",
        "CREATE SCHEMA sales",
        "CREATE TABLE sales.orders AS SELECT generate_series(1, 20) AS id",
        "CREATE TABLE parted (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (100)",
        "CREATE TABLE high PARTITION OF parted FOR VALUES FROM (100) TO (200)",
        "INSERT INTO parted SELECT generate_series(0, 149)",
        "ANALYZE posts, sales.orders, low, high",
        "CREATE TABLE unknown AS SELECT generate_series(1, 5000) AS id",
        STATISTICS_SQL + " -- as psql sends it",
    )
    file = tmp_path / "statistics.json"
    document = made[0][0]
    file.write_text(document if isinstance(document, str) else json.dumps(document))

    assert read_statistics(file) == {
        "posts": 1500,
        "sales.orders": 20,
        "parted": 150,
        "low": 100,
        "high": 50,
    }


@pytest.mark.parametrize(
    "content", [b"\xff", b"{", b"[]", b'{"posts": -1}', b'{"posts": "5"}', b'{"posts": true}']
)
def test_a_file_that_is_no_statistics_is_refused_with_the_way_to_make_one(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "statistics.json"
    file.write_bytes(content)

    with pytest.raises(StatisticsError, match="--statistics-sql") as refused:
        read_statistics(file)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StatisticsError, match=r"none\.json: No such file"):
        read_statistics(tmp_path / "none.json")


def test_the_schema_public_goes_without_saying(tmp_path: Path) -> None:
    file = tmp_path / "statistics.json"
    file.write_text('{"public.posts": 7, "sales.orders": 8}')

    assert read_statistics(file) == {"posts": 7, "sales.orders": 8}
