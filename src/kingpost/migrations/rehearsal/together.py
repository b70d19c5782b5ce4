"""Generated statements and requests to the service at the same time, as one traffic."""

from collections.abc import Sequence
from dataclasses import replace

from kingpost.migrations.rehearsal.live import selected
from kingpost.migrations.rehearsal.report import Live
from kingpost.migrations.rehearsal.timing import ALWAYS, LiveRun, Window
from kingpost.migrations.rehearsal.versions import Code


class Together:
    """Several as one, with the clock of the first.

    Args:
        runs: that have begun; one or more.
        service: which code serves, for people.
        code: that serves; None if none does.
    """

    def __init__(
        self, runs: Sequence[LiveRun], service: str = "", code: Code | None = None
    ) -> None:
        self._runs, self.service, self.code = runs, service, code
        self._shifts = [runs[0].clock() - run.clock() for run in runs]

    def clock(self) -> float:
        """Milliseconds since the first one began."""
        return self._runs[0].clock()

    def record(self, index: int, began_ms: float, ended_ms: float) -> None:
        """Notes when a statement of the change ran, in all of them."""
        for run, shift in zip(self._runs, self._shifts, strict=True):
            run.record(index, began_ms - shift, ended_ms - shift)

    @property
    def busy(self) -> bool:
        """Whether any of them has anything to send."""
        return any(run.busy for run in self._runs)

    @property
    def sent(self) -> int:
        """How much of the slowest one has been answered."""
        return min((run.sent for run in self._runs if run.busy), default=0)

    def result(self, window: Window = ALWAYS) -> Live:
        """What all of them have seen."""
        parts = [
            _shifted(run.result((window[0] - shift, window[1] - shift)), shift)
            for run, shift in zip(self._runs, self._shifts, strict=True)
        ]
        samples = sorted((one for it in parts for one in it.samples), key=lambda it: it.began_ms)
        waits = sorted((one for it in parts for one in it.waits), key=lambda it: it.began_ms)
        return Live(
            statements=parts[0].statements,
            waits=tuple(waits),
            samples=selected(samples),
            sent=sum(it.sent for it in parts),
            failed=sum(it.failed for it in parts),
            slowest_ms=max(it.slowest_ms for it in parts),
            traffic=", ".join(it.traffic for it in parts),
            service=self.service,
        )


def _shifted(live: Live, shift: float) -> Live:
    return replace(
        live,
        waits=tuple(replace(it, began_ms=it.began_ms + shift) for it in live.waits),
        samples=tuple(replace(it, began_ms=it.began_ms + shift) for it in live.samples),
    )
