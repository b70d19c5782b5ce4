"""What is rehearsed: the change of a script, there and back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from kingpost.migrations.rehearsal.observing import failure_of
from kingpost.migrations.rehearsal.sessions import Session, fetch
from kingpost.migrations.rehearsal.splitting import Piece

Place = Callable[[], str | None]


class Recorder(Protocol):
    """What a pass does with the statements of a change."""

    def attach(self, engine: AsyncEngine) -> None:
        """Takes over the execution of an engine's statements, before it connects."""

    def end_transaction(self, *, committed: bool) -> None:
        """Notes that a transaction has ended."""

    def settle(self) -> None:
        """Notes that all of the change has run."""


@dataclass(slots=True)
class Location:
    """Where the statement stands that a script has come to; a function without arguments."""

    now: str | None = None

    def __call__(self) -> str | None:
        """The place, or None between two statements of the script."""
        return self.now


class Change(Protocol):
    """A change that can be run, and perhaps taken back."""

    @property
    def name(self) -> str:
        """What the report calls it."""

    @property
    def title(self) -> str:
        """What it is for, if that is known."""

    @property
    def phase(self) -> str:
        """`expand`, `migrate` or `contract`."""

    @property
    def reason(self) -> str:
        """Why it may pass although its verdict does not."""

    @property
    def reversible(self) -> bool:
        """Whether there is a way back to try."""

    @property
    def place(self) -> Place:
        """Says where the statement stands that is about to run; None for one of nobody's."""

    @property
    def application(self) -> str:
        """What the names of its connections begin with."""

    @property
    def talkative(self) -> bool:
        """Whether it asks things of the catalog that a report need not show."""

    @property
    def rows_by(self) -> str:
        """The options that give it real rows."""

    def apply(self, url: str, recorder: Recorder) -> str | None:
        """Runs it.

        Args:
            url: of the database.
            recorder: sees the statements.

        Returns:
            The failure, `SQLSTATE: message`, or None.
        """

    def undo(self, url: str, recorder: Recorder) -> str | None:
        """Takes it back.

        Args:
            url: of the database.
            recorder: sees the statements.

        Returns:
            The failure, `SQLSTATE: message`, or None.
        """


@dataclass(slots=True)
class ScriptChange:
    """A script of SQL that psql would run.

    Args:
        name: of the script.
        pieces: its statements.
        back: those of the way back; empty if there is none.
        single_transaction: whether one transaction is put around them.
    """

    name: str
    pieces: tuple[Piece, ...]
    back: tuple[Piece, ...] = ()
    single_transaction: bool = False
    title: str = ""
    phase: str = "expand"
    reason: str = ""
    place: Location = field(default_factory=Location)
    application: ClassVar[str] = "kingpost-rehearsal-change"
    talkative: ClassVar[bool] = False  # what a script says was written by a person
    rows_by: ClassVar[str] = "--data FILE"

    @property
    def reversible(self) -> bool:
        """Whether there is a way back to try."""
        return bool(self.back)

    def apply(self, url: str, recorder: Recorder) -> str | None:
        """Runs the script, each statement by itself unless it says BEGIN.

        Args:
            url: of the database.
            recorder: sees the statements.

        Returns:
            The failure, `SQLSTATE: message`, or None.
        """
        return self._run(url, recorder, self.pieces, self.name)

    def undo(self, url: str, recorder: Recorder) -> str | None:
        """Runs the script of the way back.

        Args:
            url: of the database.
            recorder: sees the statements.

        Returns:
            The failure, `SQLSTATE: message`, or None.
        """
        return self._run(url, recorder, self.back, "undo")

    def _run(
        self, url: str, recorder: Recorder, pieces: tuple[Piece, ...], name: str
    ) -> str | None:
        with Session(url, recorder.attach) as session:
            session.fetch(f"SET application_name = '{self.application}'")
            try:
                session.run(lambda connection: self._statements(connection, recorder, pieces, name))
            except DBAPIError as error:
                return failure_of(error)
            finally:
                self.place.now = None
            recorder.settle()
        return None

    def _statements(
        self, connection: Connection, recorder: Recorder, pieces: tuple[Piece, ...], name: str
    ) -> None:
        if self.single_transaction:
            fetch(connection, "BEGIN")
        for piece in pieces:
            self.place.now = f"{name}:{piece.line}"
            fetch(connection, piece.sql)
        self.place.now = None
        if self.single_transaction:
            fetch(connection, "COMMIT")
            recorder.end_transaction(committed=True)
