"""How fast a backfill may go: by the time of a batch, and by what its standbys can follow."""

import random

from kingpost.migrations.operations.online import Online

LAG = "SELECT extract(epoch FROM max(replay_lag)) FROM pg_stat_replication"
FASTEST, SLOWEST = 0.2, 0.5  # seconds that a batch should take
FEWEST, MOST = 100, 50_000  # rows that a batch looks at
_POLL_SECONDS = 0.5


def next_size(rows: int, seconds: float) -> int:
    """How many rows the next batch looks at, so that it takes between 0.2 and 0.5 seconds.

    Args:
        rows: of the last batch.
        seconds: that it took.

    Returns:
        At most twice as many, at least 100, at most 50 000.
    """
    if seconds < FASTEST:
        return min(rows * 2, MOST)
    if seconds > SLOWEST:
        return max(int(rows * (FASTEST + SLOWEST) / 2 / seconds), FEWEST)
    return rows


def wait_for_standbys(database: Online, limit: float, query: str = LAG) -> float:
    """Waits until no standby is further behind than allowed.

    It sees the lag only as the owner of the database's roles does: without `pg_monitor` there is
    nothing to see, and no waiting.

    Args:
        database: the connection, outside of a transaction.
        limit: seconds that a standby may be behind.
        query: gives the seconds of the slowest one, or NULL.

    Returns:
        The seconds waited.
    """
    waited = 0.0
    while float(database.rows(query)[0][0] or 0) > limit:
        database.sleep(_POLL_SECONDS)
        waited += _POLL_SECONDS
    return waited


def pause(attempt: int) -> float:
    """How long to wait before a batch is tried again.

    Args:
        attempt: how often it has failed, from 1 on.

    Returns:
        Seconds: growing, at most 5, with chance in it so that two do not meet again.
    """
    return min(0.05 * 2.0 ** min(attempt, 10), 5.0) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
