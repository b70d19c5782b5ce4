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
