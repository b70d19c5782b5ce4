"""One change after the other: rows, the pass that decides, and the one that shows who waits."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace

from kingpost.migrations.rehearsal.changes import Change
from kingpost.migrations.rehearsal.finishing import finished
from kingpost.migrations.rehearsal.hints import is_of_rows, on_generated_rows
from kingpost.migrations.rehearsal.proof import Proof, prove
from kingpost.migrations.rehearsal.report import Live, Report, Revision, TrafficError
from kingpost.migrations.rehearsal.seeding import OwnFill, Rows, Seeded, seed
from kingpost.migrations.rehearsal.senders import Traffic
from kingpost.migrations.rehearsal.server import Server
from kingpost.migrations.rehearsal.sessions import Session
from kingpost.migrations.rehearsal.timing import (
    Shown,
    renumbered,
    show,
    timed,
    with_failures,
    with_new_version,
)
from kingpost.migrations.rehearsal.traffic import TrafficStatement, generated

_UNKNOWN = "the running version bears the new schema: no traffic of it was given to try"

Fresh = Callable[[], AbstractContextManager[str]]


@dataclass(slots=True)
class Rehearsal:
    """What all changes of a rehearsal share.

    Args:
        server: where the databases are made.
        rows: in each table.
        fill: of the user, in place of generated rows.
        progress: called with a short line for each thing that takes time.
        shows: whether each change runs once more, under live traffic.
    """

    server: Server
    rows: int
    fill: OwnFill | None
    progress: Callable[[str], None]
    shows: bool = False
    live: dict[str, Live] = field(default_factory=dict)
    back: dict[str, Live] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    misfits: tuple[str, ...] = ()

    def rehearsed(self, change: Change, fresh: Fresh, traffic: Traffic) -> Revision:
        """Rehearses one change.

        Generated rows have NULLs and edge values. If the change fails because of such a row, it
        is tried again without them: that there are none in production is then an assumption.

        Args:
            change: what to rehearse.
            fresh: makes a database in the state before it, dropped at the end.
            traffic: of the running version.

        Returns:
            What was seen.
        """
        proof, seeded = self._proved(change, fresh, traffic, edges=True)
        assumptions: tuple[str, ...] = ()
        if seeded.tables and is_of_rows(proof.sqlstate):
            self.progress(f"{change.name} fails with {proof.sqlstate}: again without edge values")
            plain, seeded = self._proved(change, fresh, traffic, edges=False)
            if not plain.sqlstate:
                assumptions, proof = (_assumed(proof),), plain
        proof.statements = on_generated_rows(proof.statements, seeded.tables, change.rows_by)
        if not traffic.known:
            assumptions = (*assumptions, _UNKNOWN)
        wrong = tuple(f"{sql} of the traffic is right: it fails before" for sql in self.misfits)
        return finished(_revision(change, proof, (*assumptions, *wrong)), proof.empty)

    def _proved(
        self, change: Change, fresh: Fresh, traffic: Traffic, *, edges: bool
    ) -> tuple[Proof, Seeded]:
        with ExitStack() as stack:
            url = stack.enter_context(fresh())
            self.progress(f"filling tables with {self.rows} rows each")
            with Session(url) as session:
                seeded = seed(session, Rows(self.rows, edges, self.fill))
                statements = traffic.of(session)
                shown = statements or (session.transact(generated) if self.shows else ())
            self.failed |= seeded.failed
            copy = stack.enter_context(self.server.database(url)) if self.shows else None
            self.progress(f"running {change.name} and looking at each statement")
            with traffic.watch(url, statements) as watch:
                if watch is not None and traffic.statements:
                    self.misfits = watch.misfits
                proof = prove(self.server, url, change, watch)
            failed = any(it.error for it in proof.statements if not it.undo)
            if copy is not None and not failed:
                self.progress(f"running {change.name} under live traffic")
                self._show(change, copy, proof, traffic, shown)
            return proof, seeded

    def _show(
        self,
        change: Change,
        url: str,
        proof: Proof,
        traffic: Traffic,
        statements: Sequence[TrafficStatement],
    ) -> None:
        new: list[TrafficError] = []
        with traffic.live(url, statements, change.application) as running:

            def ask_new_version() -> None:
                new.extend(traffic.of_new_version(url, change.name, running))

            shown = show(change, url, running, ask_new_version)
        for way, failure in (("", shown.failure), (", on the way back", shown.failure_back)):
            if failure is not None:
                self.progress(f"{change.name} failed under live traffic{way}: {failure}")
        proof.statements = with_new_version(proof.statements, new)
        live = running.result((float("-inf"), shown.turned_ms))
        self._add(change.name, proof, shown, live, known=traffic.known)
        if shown.turned_ms < float("inf"):
            back = replace(running.result((shown.turned_ms, float("inf"))), service="")
            self._add(change.name, proof, shown, back, known=traffic.known, undo=True)

    def _add(
        self,
        name: str,
        proof: Proof,
        shown: Shown,
        seen: Live,
        *,
        known: bool,
        undo: bool = False,
    ) -> None:
        """Adds what the traffic saw of one way."""
        live = renumbered(seen, shown, proof.statements, undo=undo)
        (self.back if undo else self.live)[name] = live
        proof.statements = timed(proof.statements, live)
        if known:
            before = self.live[name] if undo else None
            proof.statements = with_failures(proof.statements, live, before)

    def report(self, revisions: tuple[Revision, ...], seconds: float) -> Report:
        """Puts all of it together.

        Args:
            revisions: that were rehearsed.
            seconds: that it took.

        Returns:
            The report.
        """
        return Report(
            revisions,
            server=self.server.version,
            rows=self.rows,
            seconds=seconds,
            live=self.live,
            back=self.back,
            not_filled=tuple(f"{name}: {why}" for name, why in self.failed.items()),
        )


def _assumed(proof: Proof) -> str:
    failed = next(it for it in proof.statements if it.error is not None)
    where = f"the statement of {failed.place}" if failed.place else "it"
    return (
        f"{where} fails with {failed.error}, when there are such rows (NULLs or edge values, which "
        "were generated): look for them in production first"
    )


def _revision(change: Change, proof: Proof, assumptions: tuple[str, ...]) -> Revision:
    return Revision(
        name=change.name,
        verdict=proof.verdict,
        title=change.title,
        phase=change.phase,
        statements=proof.statements,
        invalid=proof.invalid,
        unvalidated=proof.unvalidated,
        round_trip=proof.round_trip,
        assumptions=assumptions,
        reason=change.reason,
    )
