from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kingpost.database import DatabaseObserver
from kingpost.observability import Metrics


@dataclass
class Pool:
    size: int = 10
    in_use: int = 3
    waiting: int = 1


@pytest.fixture
def metrics():
    return Metrics()


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(name, labels)


def test_ten_thousand_paths_and_methods_make_one_label(metrics):
    for number in range(10_000):
        metrics.observe_request(f"M{number}", None, 404, 0.01)

    labels = {"method": "_OTHER", "route": "unmatched", "status": "404"}
    assert value(metrics, "http_server_requests_total", **labels) == 10_000
    assert value(metrics, "http_server_request_duration_seconds_count", **labels) == 10_000


def test_statements_are_counted_by_sqlstate(metrics):
    observer = metrics.database_observer()
    assert isinstance(observer, DatabaseObserver)
    observer.statement(None, 0.001, "SELECT 1")
    observer.statement("23505", 0.002, "INSERT …")
    observer.statement("it's no state", 0.002, "INSERT …")
    observer.retry("40001")
    observer.outcome_unknown()

    assert value(metrics, "database_statements_total", sqlstate="00000") == 1
    assert value(metrics, "database_statements_total", sqlstate="23505") == 1
    assert value(metrics, "database_statements_total", sqlstate="other") == 1
    assert value(metrics, "database_statement_duration_seconds_count") == 3
    assert value(metrics, "database_transaction_retries_total", sqlstate="40001") == 1
    assert value(metrics, "database_outcome_unknown_total") == 1


def test_the_pool_is_asked_at_each_scrape(metrics):
    pool = Pool()
    metrics.watch_pool(lambda: pool)
    pool.in_use = 7

    assert value(metrics, "database_pool_in_use") == 7
    assert value(metrics, "database_pool_size") == 10
    assert value(metrics, "database_pool_waiting") == 1


def test_a_second_pool_has_names_of_its_own(metrics):
    metrics.watch_pool(Pool)
    metrics.watch_pool(Pool, "database_direct_pool")

    assert value(metrics, "database_direct_pool_size") == value(metrics, "database_pool_size")


def test_two_services_in_one_process_do_not_share(metrics):
    other = Metrics()
    other.observe_request("GET", "/x", 200, 0.1)

    assert b"/x" not in metrics.render()


def test_what_is_rendered_can_be_parsed(metrics):
    metrics.observe_request("GET", '/a"b\\c\n{id}', 200, 0.1)
    names = {family.name for family in text_string_to_metric_families(metrics.render().decode())}

    assert {
        "http_server_requests",
        "http_server_request_duration_seconds",
        "http_server_requests_in_flight",
        "database_statements",
        "kingpost_build_info",
        "process_cpu_seconds",
    } <= names


def test_a_duration_is_in_its_bucket_and_in_all_longer_ones(metrics):
    for seconds in (0.005, 0.0051, 100):
        metrics.observe_request("GET", "/x", 200, seconds)

    def bucket(bound):
        labels = {"method": "GET", "route": "/x", "status": "200", "le": bound}
        return value(metrics, "http_server_request_duration_seconds_bucket", **labels)

    assert [bucket(bound) for bound in ("0.005", "0.01", "10.0", "+Inf")] == [1, 2, 2, 3]
    labels = {"method": "GET", "route": "/x", "status": "200"}
    assert value(metrics, "http_server_request_duration_seconds_count", **labels) == 3
    total = value(metrics, "http_server_request_duration_seconds_sum", **labels)
    assert total == pytest.approx(100.0101)


def test_the_durations_of_statements_are_one_histogram_whatever_came_of_them(metrics):
    metrics.observe_statement(None, 0.001)
    metrics.observe_statement("23505", 0.02)

    name = "database_statement_duration_seconds"
    assert value(metrics, f"{name}_bucket", le="0.005") == 1
    assert value(metrics, f"{name}_bucket", le="0.025") == 2
    assert value(metrics, f"{name}_sum") == pytest.approx(0.021)


def test_what_never_happened_is_zero(metrics):
    assert value(metrics, "http_server_requests_in_flight") == 0
    assert value(metrics, "database_statements_total", sqlstate="00000") == 0
    assert value(metrics, "database_statement_duration_seconds_count") == 0


def test_a_name_cannot_be_registered_twice(metrics):
    from prometheus_client import Counter

    with pytest.raises(ValueError, match="Duplicated"):
        Counter("http_server_requests", "Others", registry=metrics.registry)
