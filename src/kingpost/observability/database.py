"""What the database layer reports, as metrics."""

from typing import TYPE_CHECKING

from kingpost.database import DatabaseObserver

if TYPE_CHECKING:
    from kingpost.observability.metrics import Metrics


class MetricsObserver(DatabaseObserver):
    """Counts statements, retries and unknown outcomes.

    Args:
        metrics: where to count.
    """

    def __init__(self, metrics: "Metrics") -> None:
        self.metrics = metrics

    def statement(self, sqlstate: str | None, seconds: float, sql: str) -> None:
        """A statement was answered."""
        del sql  # a statement as a label would be a label without bounds
        self.metrics.observe_statement(sqlstate, seconds)

    def retry(self, sqlstate: str | None) -> None:
        """A transaction is run again."""
        self.metrics.count_retry(sqlstate)

    def outcome_unknown(self) -> None:
        """The answer to a COMMIT never came."""
        self.metrics.count_outcome_unknown()
