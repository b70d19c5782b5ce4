"""Counts and durations that cost little to note, turned into metrics when somebody asks."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

# The boundaries that OpenTelemetry advises for http.server.request.duration.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


class Tally:
    """How many there were, by how long they took.

    There is no lock: it belongs to the thread of the event loop.

    Attributes:
        counts: by bucket, without those of smaller ones; the last is for what is longer.
        seconds: all durations together.
    """

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Notes one that took so long."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds


class Tallies(Collector):
    """Tallies by their labels, shown as a counter and a histogram.

    Args:
        counter: name of the counter, without `_total`, and what it counts.
        histogram: name of the histogram, and what it measures.
        labels: of both.
        registry: where they are shown.
        in_one: the histogram has no labels and adds everything up.
    """

    def __init__(
        self,
        counter: tuple[str, str],
        histogram: tuple[str, str],
        labels: tuple[str, ...],
        *,
        registry: CollectorRegistry,
        in_one: bool = False,
    ) -> None:
        self._counter = counter
        self._histogram = histogram
        self._labels = labels
        self._in_one = in_one
        self._tallies: dict[tuple[str, ...], Tally] = {}
        registry.register(self)

    def of(self, *values: str) -> Tally:
        """The tally with these values of the labels, to be kept by the caller."""
        tally = self._tallies.get(values)
        if tally is None:
            tally = self._tallies[values] = Tally()
        return tally

    def describe(self) -> Iterable[Metric]:
        """The names, for the registry, which refuses them twice."""
        return self._families()

    def collect(self) -> Iterable[Metric]:
        """What was noted so far."""
        counter, histogram = self._families()
        for values, tally in self._tallies.items():
            counter.add_metric(values, sum(tally.counts))
        for values, tally in self._shown():
            histogram.add_metric(values, _cumulated(tally.counts), tally.seconds)
        return counter, histogram

    def _families(self) -> tuple[CounterMetricFamily, HistogramMetricFamily]:
        return (
            CounterMetricFamily(*self._counter, labels=self._labels),
            HistogramMetricFamily(*self._histogram, labels=self._shown_labels),
        )

    @property
    def _shown_labels(self) -> tuple[str, ...]:
        return () if self._in_one else self._labels

    def _shown(self) -> list[tuple[tuple[str, ...], Tally]]:
        if not self._in_one:
            return list(self._tallies.items())
        whole = Tally()
        for tally in self._tallies.values():
            whole.counts = [a + b for a, b in zip(whole.counts, tally.counts, strict=True)]
            whole.seconds += tally.seconds
        return [((), whole)]


def _cumulated(counts: list[int]) -> list[tuple[str, float]]:
    names = [*(str(float(bound)) for bound in BUCKETS), "+Inf"]
    return list(zip(names, accumulate(counts), strict=True))
