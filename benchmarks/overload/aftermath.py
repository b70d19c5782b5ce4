"""The time after a storm: when it was really over, and how soon all was well again."""

from collections import Counter
from collections.abc import Sequence

from benchmarks.overload.storms import Storm

# A second is normal when so many of its requests were done, and so fast.
NORMAL_SHARE, NORMAL_SECONDS = 0.99, 0.25
_STEP = 0.25  # seconds


def over_after(storm: Storm, peak_per_second: float) -> float:
    """How long after its end a storm goes on, since its clients try again.

    Args:
        storm: that has ended.
        peak_per_second: requests that can be done in a second.

    Returns:
        Seconds until less comes than can be done; 0 without clients that try again.
    """
    late = [one.due - storm.ended for one in storm.results if one.due >= storm.ended]
    came = Counter(int(after / _STEP) for after in late)
    too_much = [step for step, count in came.items() if count > peak_per_second * _STEP]
    return (max(too_much) + 1) * _STEP if too_much else 0.0


def second_after(storm: Storm, since: float) -> tuple[float, float]:
    """How well it went in one second after a storm, at the first try.

    Args:
        storm: that has ended.
        since: seconds after its end at which that second begins.

    Returns:
        The share of its requests that was done, and the seconds within which 99 % of these were.
    """
    begin = storm.ended + since
    due = [one for one in storm.results if begin <= one.due < begin + 1 and one.number == 0]
    done = sorted(one.seconds for one in due if one.good)
    return len(done) / max(1, len(due)), at(done, 0.99)


def normal_after(storm: Storm, watched: float, since: float = 0.0) -> int | None:
    """How many seconds after a storm the first normal one is over; 1 is at once.

    Args:
        storm: that has ended.
        watched: seconds after its end.
        since: seconds after its end from which they are counted.

    Returns:
        The number of that second; None if there was none.
    """
    for second in range(int(watched - since)):
        share, slowest = second_after(storm, since + second)
        if share >= NORMAL_SHARE and slowest <= NORMAL_SECONDS:
            return second + 1
    return None


def at(times: Sequence[float], part: float) -> float:
    """The time that this part of all is faster than; `times` are sorted."""
    return times[min(len(times) - 1, int(len(times) * part))] if times else 0.0
