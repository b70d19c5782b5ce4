"""Whose traffic a rehearsal tries: a file's, that of a whole schema, or a service's own."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Self

from kingpost.migrations.rehearsal.child import ServiceFailed
from kingpost.migrations.rehearsal.live import LiveTraffic
from kingpost.migrations.rehearsal.probing import Probe
from kingpost.migrations.rehearsal.proof import Watch
from kingpost.migrations.rehearsal.report import TrafficError, Version
from kingpost.migrations.rehearsal.server import RehearsalError
from kingpost.migrations.rehearsal.service import ServiceTraffic
from kingpost.migrations.rehearsal.sessions import Session
from kingpost.migrations.rehearsal.timing import LiveRun
from kingpost.migrations.rehearsal.together import Together
from kingpost.migrations.rehearsal.traffic import TrafficStatement, generated
from kingpost.migrations.rehearsal.versions import AS_IT_IS, Code
from kingpost.migrations.revisions import heads
from kingpost.project import Project


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the running version sends.

    Args:
        statements: of a file.
        generated: without any, whether it is a version that uses every table and column.
        project: the service, whose HTTP API is used as well.
        old: git revision of the running version, whose API then decides as statements do.
        versions: without that, what may be running; its API is used in the live pass.
    """

    statements: tuple[TrafficStatement, ...] = ()
    generated: bool = False
    project: Project | None = None
    old: str | None = None
    versions: tuple[Code, ...] = ()

    @classmethod
    def of_service(cls, project: Project, old: str | None, versions: Sequence[Code] = ()) -> Self:
        """That of a service: it uses every table and column, and has an HTTP API.

        Args:
            project: the service.
            old: git revision of the running version; None if it was not told.
            versions: without it, what may be running, the likelier first.

        Returns:
            Its traffic.
        """
        chosen = tuple(versions) if old is None else (Code(old, f"git's {old}"),)
        return cls(generated=True, project=project, old=old, versions=chosen)

    @property
    def known(self) -> bool:
        """Whether anybody has said what the running version sends."""
        return bool(self.statements) or self.generated

    def of(self, session: Session) -> tuple[TrafficStatement, ...]:
        """The statements.

        Args:
            session: of a database with rows, before the change.

        Returns:
            Those of the file, or generated ones, or none.
        """
        if self.generated and not self.statements:
            return session.transact(generated)
        return self.statements

    @contextmanager
    def watch(self, url: str, statements: Sequence[TrafficStatement]) -> Iterator["All | None"]:
        """Makes what tries the traffic at one moment.

        Args:
            url: of the database, before the change.
            statements: of the traffic.

        Yields:
            It, or None if there is no traffic.

        Raises:
            RehearsalError: no statement of a file works, so none could be broken.
        """
        with ExitStack() as stack:
            found: list[Watch] = []
            if statements:
                probe = stack.enter_context(Probe(url, statements))
                self._refuse_what_never_works(probe)
                found.append(probe)
            if self.project is not None and self.old is not None:
                service = ServiceTraffic(self.project, url, self.old, background=False)
                found.append(stack.enter_context(service))
            yield All(found) if found else None

    def _refuse_what_never_works(self, probe: Probe) -> None:
        """What fails before the change cannot be broken by it, and would pass whatever it does."""
        if self.statements and not probe.working:
            raise RehearsalError(
                "a statement of the traffic fails before the change, as all others do: "
                f"{self.statements[0].sql!r}: one statement a line, for the schema that is there"
            )

    def of_new_version(
        self, url: str, revision: str, running: Together
    ) -> tuple[TrafficError, ...]:
        """What the code as it is cannot answer on the schema that it is made for.

        Args:
            url: of a database, after the change.
            revision: that it is at.
            running: the traffic of the old version, to which is added what has served.

        Returns:
            The failures, which are evidence alone unless `old` was given; none if the API is not
            used, the code needs further revisions, or it is this code that has served.
        """
        if self.project is None or not self.versions or running.code == AS_IT_IS:
            return ()
        if heads(self.project.migrations) != {revision}:
            return ()
        try:
            with ServiceTraffic(self.project, url, None, background=False) as service:
                running.service += f"; new version: {AS_IT_IS.words}"
                return tuple(replace(it, live=self.old is None) for it in service.refused)
        except ServiceFailed as error:
            if self.old is not None:
                raise
            running.service += f"; new version: {error}"
            return ()

    @contextmanager
    def live(
        self, url: str, statements: Sequence[TrafficStatement], application: str
    ) -> Iterator[Together]:
        """Makes what sends the traffic all the time.

        Args:
            url: of the database, before the change.
            statements: of the traffic.
            application: what the names of the change's connections begin with.

        Yields:
            It, begun.
        """
        with ExitStack() as stack:
            service, code, words = self._serving(stack, url, application)
            runs: list[LiveRun] = [] if service is None else [service]
            if statements or service is None:
                runs.insert(0, stack.enter_context(LiveTraffic(url, statements, application)))
            yield Together(runs, words, code)

    def _serving(
        self, stack: ExitStack, url: str, application: str
    ) -> tuple[ServiceTraffic | None, Code | None, str]:
        """The first version that works on the schema before, and why those before it do not."""
        if self.project is None:
            return None, None, ""
        told = []
        for code in self.versions:
            try:
                service = self._entered(self.project, code, url, application)
            except ServiceFailed as error:
                if self.old is not None:
                    raise
                told.append(f"{code.words}: {error}")
                continue
            stack.push(service)
            and_new = " and new" if code == AS_IT_IS else ""
            return service, code, f"old{and_new} version: {code.words}"
        if self.versions == (AS_IT_IS,):
            told.append("git has no commit without the revision, so no version before to serve")
        return None, None, f"old version: none ({'; '.join(told)})" if told else ""

    def _entered(self, project: Project, code: Code, url: str, application: str) -> ServiceTraffic:
        service = ServiceTraffic(project, url, code.revision, application_name=application)
        service.__enter__()
        # 503 is said on purpose, such as by a readiness that knows of the revision to come
        refused = [it for it in service.refused if it.sqlstate != "503"]
        if (
            code == AS_IT_IS and refused
        ):  # a commit before fits the schema, if not every made-up row
            service.__exit__()
            first = refused[0]
            raise ServiceFailed(f"{first.query} gives {first.sqlstate} on the schema before")
        return service


class All:
    """Several as one.

    Args:
        watches: each of another kind of traffic.
    """

    def __init__(self, watches: Sequence[Watch]) -> None:
        self._watches = watches

    @property
    def misfits(self) -> tuple[str, ...]:
        """Statements that did not fit the schema before the change."""
        probes = (watch for watch in self._watches if isinstance(watch, Probe))
        return tuple(sql for probe in probes for sql in probe.misfits)

    def check(self, *, version: Version = "old", undo: bool = False) -> tuple[TrafficError, ...]:
        """What fails in any of them."""
        checks = (watch.check(version=version, undo=undo) for watch in self._watches)
        return tuple(error for found in checks for error in found)
