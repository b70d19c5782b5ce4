"""Metrics for Prometheus, in a registry of their own, with bounded labels."""

import platform
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from kingpost import __version__

if TYPE_CHECKING:
    from kingpost.observability.database import MetricsObserver

# The boundaries that OpenTelemetry advises for http.server.request.duration.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
UNMATCHED = "unmatched"


class PoolStatus(Protocol):
    """How full a connection pool is."""

    @property
    def size(self) -> int:
        """Connections it may have."""
        ...

    @property
    def in_use(self) -> int:
        """Connections that are lent out."""
        ...

    @property
    def waiting(self) -> int:
        """Requests that wait for one."""
        ...


class Metrics:
    """The metrics of one service.

    Names follow Prometheus (base units, `_total`), meanings follow OpenTelemetry: an unknown
    method is `_OTHER`, and a request that matched no route is `unmatched`, so that no client
    can make labels.

    Attributes:
        registry: where everything is registered.
        in_flight: requests that are being served.
        client_disconnects: clients that went away before their answer.
        database: what statements and transactions did.
    """

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.in_flight = Gauge(
            "http_server_requests_in_flight", "Requests being served", registry=self.registry
        )
        self.client_disconnects = Counter(
            "http_server_client_disconnects",
            "Clients that left before their answer",
            registry=self.registry,
        )
        self._requests = Counter(
            "http_server_requests",
            "Requests answered",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._durations = Histogram(
            "http_server_request_duration_seconds",
            "Time from the head of a request to the end of its answer",
            ("method", "route", "status"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._register_database()
        self._register_process()

    def _register_database(self) -> None:
        self._statements = Counter(
            "database_statements",
            "Statements by SQLSTATE; 00000 is success",
            ("sqlstate",),
            registry=self.registry,
        )
        self._statement_durations = Histogram(
            "database_statement_duration_seconds",
            "Time a statement took",
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._retries = Counter(
            "database_transaction_retries",
            "Transactions that were run again, by SQLSTATE",
            ("sqlstate",),
            registry=self.registry,
        )
        self._outcomes_unknown = Counter(
            "database_outcome_unknown",
            "COMMITs whose answer never came",
            registry=self.registry,
        )

    def _register_process(self) -> None:
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        build = Gauge(
            "kingpost_build_info",
            "Versions; the value is always 1",
            ("version", "python"),
            registry=self.registry,
        )
        build.labels(__version__, platform.python_version()).set(1)

    def observe_request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Counts a request that was answered.

        Args:
            method: as it was sent; unknown ones count as `_OTHER`.
            route: the template of the route, never the path; None for no route.
            status: the HTTP status.
            seconds: from the head of the request to the end of the answer.
        """
        key = (method if method in METHODS else "_OTHER", route or UNMATCHED, status)
        children = self._children.get(key)
        if children is None:
            labels = (key[0], key[1], str(status))
            children = (self._requests.labels(*labels), self._durations.labels(*labels))
            self._children[key] = children
        children[0].inc()
        children[1].observe(seconds)

    def observe_statement(self, sqlstate: str | None, seconds: float) -> None:
        """Counts a statement.

        Args:
            sqlstate: five characters; None for success, and anything else is `other`.
            seconds: from sending it to having its answer.
        """
        self._statements.labels(_sqlstate(sqlstate)).inc()
        self._statement_durations.observe(seconds)

    def count_retry(self, sqlstate: str | None) -> None:
        """Counts a transaction that is run again, by the SQLSTATE that made it fail."""
        self._retries.labels(_sqlstate(sqlstate)).inc()

    def count_outcome_unknown(self) -> None:
        """Counts a COMMIT whose answer never came."""
        self._outcomes_unknown.inc()

    def watch_pool(self, status: Callable[[], PoolStatus]) -> None:
        """Shows how full a pool is, asked at each scrape.

        Args:
            status: such as `Database.pool_status`.
        """
        for name, text, read in (
            ("size", "Connections the pool may have", lambda: status().size),
            ("in_use", "Connections lent out", lambda: status().in_use),
            ("waiting", "Requests waiting for a connection", lambda: status().waiting),
        ):
            gauge = Gauge(f"database_pool_{name}", text, registry=self.registry)
            gauge.set_function(read)

    def database_observer(self) -> "MetricsObserver":
        """An observer to give to `Database`, which counts here."""
        # The database layer is only needed by services that have a database.
        from kingpost.observability.database import MetricsObserver  # noqa: PLC0415 - see above

        return MetricsObserver(self)

    def render(self) -> bytes:
        """All metrics in the text format of Prometheus; `content_type` is its media type."""
        return generate_latest(self.registry)


def _sqlstate(sqlstate: str | None) -> str:
    if sqlstate is None:
        return "00000"
    return sqlstate if len(sqlstate) == 5 and sqlstate.isalnum() else "other"
