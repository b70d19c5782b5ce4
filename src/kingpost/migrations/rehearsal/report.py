"""What a rehearsal has seen, as data; how it is shown is a matter of other modules."""

from dataclasses import dataclass, field
from typing import Literal

from kingpost.migrations.rehearsal.verdicts import Verdict, worst

Version = Literal["old", "new"]


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that was held on a relation which existed before the change.

    Args:
        relation: its name, with the schema unless that is `public`.
        mode: as in the documentation, such as `ACCESS EXCLUSIVE` (PostgreSQL, chapter 13.3.1).
        blocks: who waits for it: `reads and writes`, `writes` or `nothing`.
    """

    relation: str
    mode: str
    blocks: Literal["reads and writes", "writes", "nothing"]


@dataclass(frozen=True, slots=True)
class TrafficError:
    """A failure that the traffic saw and did not see before the change.

    Args:
        sqlstate: five characters, or the HTTP status for a request of a service.
        message: what PostgreSQL or the service said.
        query: the statement or request that failed.
        version: whose traffic it was.
        undo: True when it failed after the way back.
        heals: True when the same statement succeeds on its second try on the same connection.
        times: how often.
        live: True when it was seen in the live pass only, which decides no verdict.
    """

    sqlstate: str
    message: str
    query: str
    version: Version = "old"
    undo: bool = False
    heals: bool = False
    times: int = 1
    live: bool = False


@dataclass(frozen=True, slots=True)
class Opinion:
    """What squawk says of a statement, and what the rehearsal says of that.

    Args:
        rule: of squawk, such as `adding-not-nullable-field`.
        message: its one line.
        outcome: `confirmed`, `refuted` or `not exercised` (there was no row to show it).
    """

    rule: str
    message: str
    outcome: Literal["confirmed", "refuted", "not exercised"]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a change.

    Args:
        sql: as it was sent.
        verdict: the worst that can be said of it.
        reasons: one sentence each, why.
        advice: what to do instead; empty if it passes.
        place: `file:line` of the revision or script; empty if unknown.
        transaction: number of its transaction, from 1; None outside of any.
        locks: strongest one on each relation that existed before and was locked by then.
        tuples_scanned: read by sequential scans under these locks, in rows.
        rows_changed: inserted, updated and deleted in tables that existed before, in rows.
        rewritten: tables and indexes that got new storage.
        errors: of the traffic, first seen after it.
        error: its own failure, `SQLSTATE: message`; None if it succeeded.
        waited_ms: the longest that any statement of the live traffic waited for it.
        started_ms: when it was sent in the live pass, from the beginning of the change.
        ended_ms: when it was done.
        estimated_ms: how long it would block in production, by the statistics that were given.
        opinions: of squawk.
        undo: True for the way back.
    """

    sql: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    advice: str = ""
    place: str = ""
    transaction: int | None = None
    locks: tuple[Lock, ...] = ()
    tuples_scanned: int = 0
    rows_changed: int = 0
    rewritten: tuple[str, ...] = ()
    errors: tuple[TrafficError, ...] = ()
    error: str | None = None
    waited_ms: float = 0.0
    started_ms: float | None = None
    ended_ms: float | None = None
    estimated_ms: float | None = None
    opinions: tuple[Opinion, ...] = ()
    undo: bool = False


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """There and back again.

    Args:
        schema: how the schema after both differs from the one before.
        difference: of the two dumps, as a unified diff; empty if there is none.
        lost: columns and rows whose data is not what it was, such as `users.email`.
        error: failure of the way back, `SQLSTATE: message`.
    """

    schema: Literal["equal", "equal but for the order of columns", "different", "not reached"]
    difference: str = ""
    lost: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision, or the one change of a script.

    Args:
        name: its identifier, or the name of the script.
        title: its message; empty for a script.
        phase: `expand`, `migrate` or `contract`.
        verdict: the worst of its parts, round trip included.
        statements: in order, those of the way back last.
        invalid: indexes left INVALID.
        unvalidated: constraints left NOT VALID.
        round_trip: None if there is no way back to try.
        assumptions: what has to be true of the data in production, a sentence each.
        reason: why it may pass although its verdict does not; empty if it says none.
    """

    name: str
    verdict: Verdict
    title: str = ""
    phase: str = "expand"
    statements: tuple[Statement, ...] = ()
    invalid: tuple[str, ...] = ()
    unvalidated: tuple[str, ...] = ()
    round_trip: RoundTrip | None = None
    assumptions: tuple[str, ...] = ()
    reason: str = ""

    @property
    def accepted(self) -> bool:
        """Whether it passes, or a person has taken responsibility for it in the revision."""
        return self.verdict.passes or bool(self.reason) or self._contracts

    @property
    def _contracts(self) -> bool:
        """A contract phase takes away what the old version needs; that is what it is for."""
        allowed = {Verdict.BREAKS_APP, Verdict.LOSSY, Verdict.STALE_PLANS}
        return self.phase == "contract" and self.verdict in allowed and self._comes_back

    @property
    def _comes_back(self) -> bool:
        """Whether the way back, where there is one, leads to the schema before."""
        trip = self.round_trip
        return trip is None or (trip.error is None and trip.schema.startswith("equal"))


@dataclass(frozen=True, slots=True)
class Wait:
    """A statement of the live traffic that waited for a lock of the change.

    Args:
        query: what waited.
        relation: whose lock.
        began_ms: from the beginning of the change.
        waited_ms: how long.
        statement: index of the statement of the change that held the lock, in the order sent.
    """

    query: str
    relation: str
    began_ms: float
    waited_ms: float
    statement: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One statement or request of the live traffic.

    Args:
        began_ms: from the beginning of the change.
        took_ms: until it was answered.
        query: what was sent.
        failed: its SQLSTATE or status; empty if it succeeded.
    """

    began_ms: float
    took_ms: float
    query: str
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Live:
    """What the pass under live traffic has shown; evidence, never the verdict.

    Args:
        statements: of the change: index, begin and end in milliseconds, in the order sent.
        waits: of the traffic.
        samples: of the traffic, at most a few thousand, the slowest and all failed ones included.
        sent: how many statements or requests the traffic sent.
        failed: how many of them failed.
        slowest_ms: of the traffic.
        traffic: what it was, in words, such as `generated statements of 4 tables`.
        service: which code answered requests to the service, or why none did; empty without one.
    """

    statements: tuple[tuple[int, float, float], ...] = ()
    waits: tuple[Wait, ...] = ()
    samples: tuple[Sample, ...] = ()
    sent: int = 0
    failed: int = 0
    slowest_ms: float = 0.0
    traffic: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A rehearsal.

    Args:
        revisions: one or more, in the order in which they were run.
        server: version of PostgreSQL, such as `18.4`.
        rows: in each table that was filled.
        seconds: that it took.
        live: by revision; empty if the live pass was left out.
        back: the same of the way back, on which the old version serves again.
        not_filled: tables that could not be given rows, with the reason.
    """

    revisions: tuple[Revision, ...]
    server: str = ""
    rows: int = 0
    seconds: float = 0.0
    live: dict[str, Live] = field(default_factory=dict)
    back: dict[str, Live] = field(default_factory=dict)
    not_filled: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of its revisions."""
        return worst(revision.verdict for revision in self.revisions)

    @property
    def accepted(self) -> bool:
        """Whether each of its revisions is."""
        return all(revision.accepted for revision in self.revisions)
