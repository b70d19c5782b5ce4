"""The pass that decides: a change runs alone, there and back, and is looked at."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from kingpost.migrations.rehearsal import round_trip, snapshots
from kingpost.migrations.rehearsal.blame import ANY, blamed, is_stale
from kingpost.migrations.rehearsal.changes import Change
from kingpost.migrations.rehearsal.observing import Observer, Step, first_word
from kingpost.migrations.rehearsal.oracle import judge
from kingpost.migrations.rehearsal.report import RoundTrip, Statement, TrafficError, Version
from kingpost.migrations.rehearsal.seeding import analyze
from kingpost.migrations.rehearsal.server import Server
from kingpost.migrations.rehearsal.sessions import Session
from kingpost.migrations.rehearsal.verdicts import Verdict, worst

_ABORTED = "25P02"


class Watch(Protocol):
    """Traffic of the running version that can be tried at any moment."""

    def check(self, *, version: Version = "old", undo: bool = False) -> tuple[TrafficError, ...]:
        """Tries all of it once.

        Args:
            version: whose traffic it is said to be.
            undo: whether the way back has been taken.

        Returns:
            What fails and did not before the change.
        """


@dataclass(slots=True)
class Proof:
    """What the pass has seen.

    Args:
        statements: of both ways.
        round_trip: None if there is no way back.
        invalid: indexes left INVALID by the way there.
        unvalidated: constraints left NOT VALID by it.
        empty: tables that had no rows.
        sqlstate: of the statement that failed on the way there.
    """

    statements: tuple[Statement, ...] = ()
    round_trip: RoundTrip | None = None
    invalid: tuple[str, ...] = ()
    unvalidated: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    sqlstate: str = ""

    @property
    def verdict(self) -> Verdict:
        """The worst of the way there, and of whether there is a way back.

        A lock on the way back is told of at its statement and raises nothing: it is taken when
        something else has gone wrong, and rarely.
        """
        found = [it.verdict for it in self.statements if not it.undo]
        trip = self.round_trip
        if trip is not None and (trip.error or trip.schema == "different"):
            found.append(Verdict.NOT_REVERSIBLE)
        if trip is not None and trip.lost:
            found.append(Verdict.LOSSY)
        undone = [error for it in self.statements if it.undo for error in it.errors]
        if any(not (error.live or is_stale(error)) for error in undone):
            found.append(Verdict.NOT_REVERSIBLE)
        return worst(found)


def prove(server: Server, url: str, change: Change, watch: Watch | None) -> Proof:
    """Runs a change there and back in a database that has its rows.

    Args:
        server: where the database is.
        url: of the database, which is not the same afterwards.
        change: what is proved.
        watch: the traffic of the running version, already warm; None if there is none.

    Returns:
        What was seen.
    """
    with Session(url) as session:
        known = snapshots.world(session.fetch)
        before = _Before(server, url, session) if change.reversible else None
        there = _Way(change, known, watch, undo=False)
        statements = there.run(url)
        statements = _with_leftovers(statements, there, session)
        proof = Proof(
            statements,
            invalid=snapshots.invalid(session.fetch),
            unvalidated=snapshots.unvalidated(session.fetch),
            empty=tuple(it.name for it in known.having("rm") if not it.rows),
            sqlstate=there.sqlstate,
        )
        if before is not None:
            _back(proof, before, change, watch, failed=there.failure is not None)
    return proof


class _Before:
    """Schema and data before the change."""

    def __init__(self, server: Server, url: str, session: Session) -> None:
        self._server, self.url, self.session = server, url, session
        self._schema = round_trip.dump(server, url)
        self._data = round_trip.Data(session.fetch)

    def compared(self, error: str | None) -> RoundTrip:
        """What there-and-back has made of them."""
        after = round_trip.dump(self._server, self.url)
        schema, difference = round_trip.compare(self._schema, after)
        return RoundTrip(schema, difference, self._data.lost(), error)


def _back(
    proof: Proof, before: _Before, change: Change, watch: Watch | None, *, failed: bool
) -> None:
    if failed:
        proof.round_trip = RoundTrip("not reached")
        return
    analyze(before.session)  # a table that was rewritten has lost the number of its rows
    known = snapshots.world(before.session.fetch)
    way = _Way(change, known, watch, undo=True)
    proof.statements += way.run(before.url)
    if way.failure is not None:
        proof.round_trip = RoundTrip("not reached", error=way.failure)
    else:
        proof.round_trip = before.compared(None)


def _with_leftovers(
    statements: tuple[Statement, ...], way: "_Way", session: Session
) -> tuple[Statement, ...]:
    """A failure that leaves something behind is worse than one that does not."""
    left = snapshots.invalid(session.fetch)
    if not statements:
        return statements
    last = statements[-1]
    if way.failure is not None and (left or way.committed_work):
        what = f"INVALID: {', '.join(left)}" if left else "what was committed before it"
        told = f"it leaves behind {what}"
        return (*statements[:-1], _partial(last, told))
    return tuple(_left_invalid(it, left) for it in statements)


def _left_invalid(statement: Statement, left: Sequence[str]) -> Statement:
    words = statement.sql.lower().replace('"', "").split()
    found = [name for name in left if name.lower().rpartition(".")[2] in words]
    if not found or statement.verdict is Verdict.ERROR or words[:1] == ["drop"]:
        return statement
    return _partial(statement, f"it succeeds, and {', '.join(found)} is INVALID all the same")


def _partial(statement: Statement, told: str) -> Statement:
    return replace(statement, verdict=Verdict.PARTIAL, reasons=(*statement.reasons, told))


def tidy(statements: Sequence[Statement], steps: Sequence[Step]) -> tuple[Statement, ...]:
    """Leaves out questions to the catalog, and makes one of the batches of a backfill.

    Args:
        statements: of a revision.
        steps: they come from, one for each.

    Returns:
        What is worth showing.
    """
    found: list[Statement] = []
    batch = False
    for statement, step in zip(statements, steps, strict=True):
        if batch and step.batch and found[-1].place == statement.place:
            found[-1] = _added(found[-1], statement)
            continue
        asks = first_word(statement.sql) in {"select", "show", "set", "reset", "with"}
        if asks and statement.verdict is Verdict.SAFE and not statement.locks:
            continue
        found.append(statement)
        batch = step.batch
    return tuple(found)


def _added(one: Statement, other: Statement) -> Statement:
    return replace(
        one,
        verdict=worst([one.verdict, other.verdict]),
        reasons=tuple(dict.fromkeys((*one.reasons, *other.reasons))),
        tuples_scanned=one.tuples_scanned + other.tuples_scanned,
        rows_changed=one.rows_changed + other.rows_changed,
        errors=(*one.errors, *other.errors),
        error=one.error or other.error,
    )


class _Way:
    """One of the two ways, run under observation."""

    def __init__(
        self, change: Change, known: snapshots.World, watch: Watch | None, *, undo: bool
    ) -> None:
        self._change, self._known, self._watch, self._undo = change, known, watch, undo
        self._seen: set[tuple[str, str]] = set()
        self._found: list[tuple[int, int, tuple[TrafficError, ...]]] = []
        self._observer = Observer(known, change.place, self._committed)
        self.failure: str | None = None
        self.sqlstate = ""

    @property
    def committed_work(self) -> bool:
        """Whether it has committed more than settings."""
        observer = self._observer
        return any(
            it.writes and it.error is None and it.transaction in {None, *observer.committed}
            for it in observer.steps
        )

    def run(self, url: str) -> tuple[Statement, ...]:
        """Goes it, and says of each statement what it did."""
        change = self._change
        self.failure = (change.undo if self._undo else change.apply)(url, self._observer)
        steps = self._observer.steps
        self._settle_errors(steps)
        if self._undo and self.failure is None:
            self._look(ANY, len(steps))
        statements = judge(steps, self._known, undo=self._undo)
        for number, until, errors in self._found:
            statements = (*blamed(statements[:until], errors, number), *statements[until:])
        return tidy(statements, steps) if change.talkative else statements

    def _committed(self, number: int) -> None:
        if not self._undo:
            self._look(number, len(self._observer.steps))

    def _look(self, number: int, until: int) -> None:
        if self._watch is None or until == 0:
            return
        errors = self._watch.check(undo=self._undo)
        new = tuple(it for it in errors if (it.sqlstate, it.query) not in self._seen)
        self._seen |= {(it.sqlstate, it.query) for it in new}
        self._found.append((number, until, new))

    def _settle_errors(self, steps: list[Step]) -> None:
        """A failure belongs to a statement, and one that was expected is none."""
        _forget_what_only_follows(steps)
        failed = [it for it in steps if it.error is not None]
        if self.failure is None:
            for step in failed:
                step.error, step.after = None, step.before
        elif failed:
            self.sqlstate = failed[-1].sqlstate or ""
        else:
            state = self.failure.partition(":")[0]
            self.sqlstate = state if len(state) == 5 else ""
            if not steps or not self.sqlstate:  # no statement has failed, but the code around them
                steps.append(Step("-- code of the revision", "", observed=False))
            steps[-1].error, steps[-1].after = self.failure, None


def _forget_what_only_follows(steps: list[Step]) -> None:
    """In a transaction that has failed every statement does, and says nothing new."""
    steps[:] = [it for it in steps if it.sqlstate != _ABORTED or not _has_failed(steps, it)]


def _has_failed(steps: Sequence[Step], later: Step) -> bool:
    same = [it for it in steps if it.transaction == later.transaction and it.error is not None]
    return bool(same) and same[0] is not later
