"""Traffic that goes on while a change is made, and what it sees of it."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, make_url
from tests.kingpost.migrations.rehearsal.rows import count, filled, value, with_connection

from kingpost.migrations.rehearsal.live import KEPT, LiveTraffic, attributed, selected
from kingpost.migrations.rehearsal.report import Live, Sample, Wait
from kingpost.migrations.rehearsal.traffic import generated, parse
from kingpost.migrations.rehearsal.waiting import waits_for
from kingpost.testing.databases import execute
from kingpost.testing.process import wait_for

SCHEMA = (
    "CREATE TABLE t (id serial PRIMARY KEY, name varchar(20) NOT NULL)",
    "CREATE TABLE u (id serial PRIMARY KEY, t int NOT NULL REFERENCES t)",
)


@pytest.fixture
def url(empty_database_url: str) -> str:
    filled(empty_database_url, *SCHEMA, rows=30)
    return empty_database_url


def traffic(url: str) -> LiveTraffic:
    return LiveTraffic(url, with_connection(url, generated), "kingpost-change")


def until(condition: Callable[[], bool]) -> None:
    wait_for(condition, 30, lambda: AssertionError("it did not come to pass"))


def a_few_more(running: LiveTraffic) -> None:
    sent = running.sent
    until(lambda: running.sent > sent + 40)


def test_nothing_fails_and_nothing_stays_without_a_change(url: str) -> None:
    with traffic(url) as running:
        a_few_more(running)
    seen = running.result()

    assert (seen.failed, seen.waits) == (0, ())
    assert seen.sent == len(seen.samples) > 40
    assert {sample.query.split()[0] for sample in seen.samples} == {
        *("SELECT", "INSERT", "UPDATE", "DELETE")
    }
    assert seen.traffic == "10 statements of 2 tables"
    assert (count(url, "t"), count(url, "u")) == (30, 30)
    assert value(url, "SELECT max(id) FROM t") == 30


def test_failures_have_their_sqlstate_and_do_not_stop_the_traffic(url: str) -> None:
    with traffic(url) as running:
        execute(url, "ALTER TABLE t RENAME COLUMN name TO title")
        a_few_more(running)
        execute(url, "ALTER TABLE t RENAME COLUMN title TO name")
        until(lambda: any(s.failed for s in running.result().samples))
        a_few_more(running)
    seen = running.result()

    states = [sample.failed for sample in seen.samples if sample.failed]
    assert set(states) == {"42703"}
    assert seen.failed == len(states)
    assert not seen.samples[-1].failed


def test_who_waits_for_the_change_is_seen_with_the_statement_that_it_waits_for(url: str) -> None:
    def change(connection: Connection) -> None:
        for index, sql in enumerate(
            ["SET application_name = 'kingpost-change 1'", "SELECT 1", "LOCK TABLE t"]
        ):
            began = running.clock()
            connection.exec_driver_sql(sql)
            running.record(index, began, running.clock())
        until(lambda: any(wait.waited_ms > 100 for wait in running.result().waits))

    with traffic(url) as running:
        with_connection(url, change)
        a_few_more(running)
    seen = running.result()

    assert {(wait.relation, wait.statement) for wait in seen.waits} == {("t", 2)}
    assert {wait.query for wait in seen.waits} <= {sample.query for sample in seen.samples}
    longest = max(seen.waits, key=lambda wait: wait.waited_ms)
    assert seen.slowest_ms >= longest.waited_ms > 100
    assert longest.began_ms >= seen.statements[2][1]
    assert seen.failed == 0


def test_who_waits_for_somebody_else_is_not_counted(url: str) -> None:
    def lock(connection: Connection) -> None:
        connection.exec_driver_sql("LOCK TABLE t")
        until(lambda: waiting(url))

    with traffic(url) as running:
        with_connection(url, lock)
        a_few_more(running)

    assert running.result().waits == ()


def waiting(url: str) -> bool:
    return bool(value(url, "SELECT count(*) FROM pg_locks WHERE NOT granted"))


def test_what_fails_without_a_change_is_left_out(url: str) -> None:
    statements = parse(
        "SELECT 1/0\nSELECT 1\nINSERT INTO t (id, name) VALUES (99, 'twice')\nCALL nobody()"
    )
    with LiveTraffic(url, statements, "kingpost-change", words="a file") as running:
        until(lambda: running.sent > 10)
    seen = running.result()

    assert ({sample.query for sample in seen.samples}, seen.failed) == ({"SELECT 1"}, 0)
    assert seen.traffic == "a file"
    assert count(url, "t") == 30


def test_a_connection_that_is_lost_is_made_again(url: str) -> None:
    with traffic(url) as running:
        execute(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        a_few_more(running)
        a_few_more(running)

    assert not running.result().samples[-1].failed


def test_a_database_that_is_not_there_is_an_error_at_once(url: str) -> None:
    with pytest.raises(Exception, match="does not exist"), traffic_to_nowhere(url):
        raise AssertionError


def traffic_to_nowhere(url: str) -> LiveTraffic:
    elsewhere = make_url(url).set(database="nowhere").render_as_string(hide_password=False)
    return LiveTraffic(elsewhere, parse("SELECT 1"), "kingpost-change")


def test_a_wait_belongs_to_what_ran_meanwhile_or_else_just_before() -> None:
    ran = [(0, 0.0, 10.0), (1, 10.0, 60.0), (2, 100.0, 110.0)]

    assert attributed(Wait("q", "t", 5.0, 30.0), ran).statement == 1
    assert attributed(Wait("q", "t", 70.0, 10.0), ran).statement == 1
    assert attributed(Wait("q", "t", 200.0, 10.0), ran).statement == 2
    assert attributed(Wait("q", "t", -9.0, 1.0), ran).statement is None


def test_of_many_samples_the_slowest_and_the_failed_ones_are_kept() -> None:
    many = [Sample(float(n), float(n % 7), "q") for n in range(20_000)]
    many[77] = Sample(77.0, 900.0, "slow")
    many[99] = Sample(99.0, 0.0, "failed", "42703")

    kept = selected(many)

    assert len(kept) <= KEPT
    assert {many[77], many[99]} <= set(kept)
    assert list(kept) == sorted(kept, key=lambda sample: sample.began_ms)
    assert kept[-1].began_ms > 19_900
    assert Live(samples=kept).samples == kept


def test_a_queue_leads_to_its_end() -> None:
    assert waits_for(1, {1: [2], 2: [3]}, {3})
    assert not waits_for(1, {1: [2], 2: [1]}, {3})
