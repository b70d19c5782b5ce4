"""How long a migration waits and works before it gives up, so that nobody waits for it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The time limits of a run; none of them can be switched off.

    A statement that waits for a lock keeps everybody waiting who comes after it. So each attempt
    waits briefly, gives up together with its whole revision, and pauses before the next one.
    Half a second is well below the second that requests wait for a connection: at 200 requests a
    second, those that queue behind a lock have taken the whole pool by then.

    Attributes:
        lock_timeouts: seconds that a statement of the first, second, … attempt waits for a lock;
            the last one holds for all attempts that follow (`lock_timeout`).
        statement_timeout: seconds that one statement may run (`statement_timeout`).
        idle_timeout: seconds that a revision may do nothing inside of a transaction
            (`idle_in_transaction_session_timeout`).
        patience: seconds to wait for another process that migrates, and to try a revision again.
        attempts: most attempts for one revision.
        first_pause: seconds between the first two attempts; each pause is half as long again.
        longest_pause: seconds that a pause grows to.

    Raises:
        ValueError: a limit is less than a millisecond, or there is no attempt.
    """

    lock_timeouts: tuple[float, ...] = (0.2, 0.3, 0.5)
    statement_timeout: float = 30.0
    idle_timeout: float = 60.0
    patience: float = 600.0
    attempts: int = 50
    first_pause: float = 0.5
    longest_pause: float = 15.0

    def __post_init__(self) -> None:
        if not self.lock_timeouts or self.attempts < 1 or self.patience < 0:
            raise ValueError("a migration needs a lock timeout, an attempt and some patience")
        if min(*self.lock_timeouts, self.statement_timeout, self.idle_timeout) < 0.001:
            raise ValueError("a migration's timeout is at least 0.001 s: 0 would mean for ever")

    def lock_timeout(self, attempt: int) -> float:
        """How long a statement waits for a lock.

        Args:
            attempt: 1 for the first.

        Returns:
            Seconds.
        """
        return self.lock_timeouts[min(attempt, len(self.lock_timeouts)) - 1]

    def pause(self, attempt: int, chance: float) -> float:
        """How long to leave everybody alone after an attempt.

        Args:
            attempt: 1 for the first.
            chance: from 0 to 1, so that two runs do not meet again and again.

        Returns:
            Seconds: from a half to one and a half of what the attempt's number gives.
        """
        grown = self.first_pause * 1.5 ** min(attempt - 1, 30)
        return min(grown, self.longest_pause) * (0.5 + chance)
