"""What a rehearsal can say of a statement, a revision or a whole change."""

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """One word, from the best to the worst; the worst one of the parts is that of the whole.

    Attributes:
        SAFE: takes no lock that keeps readers or writers of existing tables waiting.
        BRIEF_LOCK: takes one, and does no work that grows with the data while it holds it.
        STALE_PLANS: a prepared statement of the running version fails once on each connection.
        NOT_REVERSIBLE: the way back fails, or leads to another schema.
        LOSSY: after there and back, data is missing.
        UNSAFE_LOCK: reads, checks, rewrites or changes rows while others wait for its lock.
        BREAKS_APP: statements of the running version fail afterwards.
        PARTIAL: failed, and left something behind.
        ERROR: failed, and left nothing behind.
    """

    SAFE = "safe"
    BRIEF_LOCK = "brief-lock"
    STALE_PLANS = "stale-plans"
    NOT_REVERSIBLE = "not-reversible"
    LOSSY = "lossy"
    UNSAFE_LOCK = "unsafe-lock"
    BREAKS_APP = "breaks-app"
    PARTIAL = "partial"
    ERROR = "error"

    @property
    def severity(self) -> int:
        """0 for the best, growing."""
        return list(Verdict).index(self)

    @property
    def passes(self) -> bool:
        """Whether a change may go to production under traffic without a word from a person."""
        return self in {Verdict.SAFE, Verdict.BRIEF_LOCK}

    @property
    def exit_code(self) -> int:
        """What `kingpost db rehearse` exits with: 0 if it passes, else 10 and its severity."""
        return 0 if self.passes else 10 + self.severity


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of some verdicts.

    Args:
        verdicts: of the parts.

    Returns:
        SAFE if there are none.
    """
    return max(verdicts, key=lambda verdict: verdict.severity, default=Verdict.SAFE)
