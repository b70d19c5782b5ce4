"""Metrics for Prometheus, in a registry of their own, with bounded labels."""

import platform
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from kingpost import __version__
from kingpost.observability.tally import Tallies, Tally

if TYPE_CHECKING:
    from kingpost.observability.database import MetricsObserver

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
        in_flight: how many requests are being served; changed by `Observe`.
        connections: how many clients are connected; changed by the server.
        connections_closed: those that were closed since there were too many, by what was done.
        client_disconnects: clients that went away before their answer.
        database: what statements and transactions did.
    """

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.in_flight = 0
        Gauge(
            "http_server_requests_in_flight", "Requests being served", registry=self.registry
        ).set_function(lambda: self.in_flight)
        self._register_connections()
        self.client_disconnects = Counter(
            "http_server_client_disconnects",
            "Clients that left before their answer",
            registry=self.registry,
        )
        shed = Counter(
            "http_server_requests_shed",
            "Requests refused: list, from seven eighths of the limit on; any, at the limit",
            ("kind",),
            registry=self.registry,
        )
        self._shed = {kind: shed.labels(kind) for kind in ("list", "any")}
        self._requests = Tallies(
            ("http_server_requests", "Requests answered"),
            (
                "http_server_request_duration_seconds",
                "Time from the head of a request to the end of its answer",
            ),
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._known_requests: dict[tuple[str, str | None, int], Tally] = {}
        self._register_database()
        self._register_keys()
        self._register_process()

    def _register_connections(self) -> None:
        self.connections = 0
        Gauge(
            "http_server_connections", "Connections of clients", registry=self.registry
        ).set_function(lambda: self.connections)
        self.connections_closed = Counter(
            "http_server_connections_closed",
            "Connections too many: made_room for a new one, or refused as the new one",
            ("how",),
            registry=self.registry,
        )

    def _register_database(self) -> None:
        self._statements = Tallies(
            ("database_statements", "Statements by SQLSTATE; 00000 is success"),
            ("database_statement_duration_seconds", "Time a statement took"),
            ("sqlstate",),
            registry=self.registry,
            in_one=True,
        )
        self._successes = self._statements.of("00000")
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

    def _register_keys(self) -> None:
        self._idempotency = Counter(
            "http_server_idempotent_requests",
            "Requests with an Idempotency-Key: new, replay, in_flight, mismatch",
            ("outcome",),
            registry=self.registry,
        )
        self._rate_limits = Counter(
            "http_server_rate_limit_events",
            "What rate limits did: lease, refused, unchecked, address_refused",
            ("event",),
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
        known = self._known_requests.get((method, route, status))
        (known or self._request(method, route, status)).add(seconds)

    def _request(self, method: str, route: str | None, status: int) -> Tally:
        if method not in METHODS:
            return self._requests.of("_OTHER", route or UNMATCHED, str(status))
        tally = self._requests.of(method, route or UNMATCHED, str(status))
        self._known_requests[method, route, status] = tally
        return tally

    def count_shed(self, kind: str) -> None:
        """Counts a request that was too many: `list`, refused as one, or `any`, at the limit."""
        self._shed[kind].inc()

    def observe_statement(self, sqlstate: str | None, seconds: float) -> None:
        """Counts a statement.

        Args:
            sqlstate: five characters; None for success, and anything else is `other`.
            seconds: from sending it to having its answer.
        """
        tally = self._successes if sqlstate is None else self._statements.of(_sqlstate(sqlstate))
        tally.add(seconds)

    def count_retry(self, sqlstate: str | None) -> None:
        """Counts a transaction that is run again, by the SQLSTATE that made it fail."""
        self._retries.labels(_sqlstate(sqlstate)).inc()

    def count_outcome_unknown(self) -> None:
        """Counts a COMMIT whose answer never came."""
        self._outcomes_unknown.inc()

    def count_idempotency(self, outcome: str) -> None:
        """Counts a request with an Idempotency-Key: `new`, `replay`, `in_flight`, `mismatch`."""
        self._idempotency.labels(outcome).inc()

    def count_rate_limit(self, event: str) -> None:
        """Counts what a rate limit did: `lease`, `refused`, `unchecked`, `address_refused`."""
        self._rate_limits.labels(event).inc()

    def watch_pool(self, status: Callable[[], PoolStatus], name: str = "database_pool") -> None:
        """Shows how full a pool is, asked at each scrape.

        Args:
            status: such as `Database.pool_status`.
            name: what its metrics begin with; another one for `Database.direct_status`.
        """
        for part, text, read in (
            ("size", "Connections the pool may have", lambda: status().size),
            ("in_use", "Connections lent out", lambda: status().in_use),
            ("waiting", "Requests waiting for a connection", lambda: status().waiting),
        ):
            gauge = Gauge(f"{name}_{part}", text, registry=self.registry)
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
