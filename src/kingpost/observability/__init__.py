"""Logs and metrics: what an operator sees of a running service."""

from kingpost.observability.logging import configure_logging
from kingpost.observability.metrics import Metrics

__all__ = ["Metrics", "configure_logging"]
