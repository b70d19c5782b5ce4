"""Looks through revisions for what would stop traffic."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from kingpost.migrations.lint.certain import certain_findings
from kingpost.migrations.lint.configuration import COMPATIBILITY
from kingpost.migrations.lint.cures import cure
from kingpost.migrations.lint.findings import SquawkFinding
from kingpost.migrations.lint.places import Place
from kingpost.migrations.lint.revision_sql import RevisionSql, revision_sql
from kingpost.migrations.lint.squawk import squawk_statements
from kingpost.migrations.lint.suppression import NEEDS_DATABASE, Suppression, suppressions
from kingpost.migrations.phases import phase_of


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a revision that would stop traffic, or a comment that is wrong.

    Args:
        file: of the revision.
        line: from 1; 0 if it is unknown.
        revision: its identifier.
        rule: such as `changing-column-type`.
        level: how bad it is; each of them fails the lint.
        message: what is wrong.
        sql: the statement; empty if it is about none.
        cure: what to do instead, as code to paste; empty if nothing is known.
    """

    file: str
    line: int
    revision: str
    rule: str
    level: Literal["error"]
    message: str
    sql: str
    cure: str

    def as_json(self) -> dict[str, str | int]:
        """The same for a program."""
        return asdict(self)


def lint(
    config: Config, scripts: ScriptDirectory, revisions: Iterable[Script]
) -> tuple[Finding, ...]:
    """Looks through revisions.

    Args:
        config: of Alembic, for env.py.
        scripts: the folder of migrations.
        revisions: which ones, in order.

    Returns:
        What was found, by revision and line.

    Raises:
        SquawkError: squawk is missing or fails.
        CommandError: a revision has a phase that does not exist.
    """
    found: list[Finding] = []
    for script in revisions:
        found += _lint_one(revision_sql(config, scripts, script))
    return tuple(found)


def _lint_one(written: RevisionSql) -> list[Finding]:
    allowed = suppressions(Path(written.script.path).read_text(encoding="utf-8"))
    found = [
        _finding(written, said.rule, said.message, places, said.sql)
        for said, places in _said(written)
        if not _is_allowed(allowed, said.rule, places)
    ]
    if written.failure and not _is_allowed(allowed, NEEDS_DATABASE, written.failed_at):
        found.append(_without_database(written))
    found += [
        _finding(written, *mistake, (Place(comment.line, comment.line),))
        for comment in allowed
        if (mistake := comment.mistake()) is not None
    ]
    return sorted(found, key=lambda finding: finding.line)


def _said(written: RevisionSql) -> list[tuple[SquawkFinding, tuple[Place, ...]]]:
    """What is wrong with each statement that the revision itself has written."""
    sql = [statement.sql for statement in written.statements]
    said = [*squawk_statements(sql), *certain_findings(sql)]
    placed = [(one, written.statements[one.statement].places) for one in said]
    harmless = set(COMPATIBILITY) if phase_of(written.script) == "contract" else set()
    harmless |= {"ban-uncommitted-transaction"} if written.failure else set()
    return [(one, places) for one, places in placed if places and one.rule not in harmless]


def _is_allowed(allowed: Sequence[Suppression], rule: str, places: Sequence[Place]) -> bool:
    covering = [comment for comment in allowed if comment.covers(rule, places)]
    for comment in covering:
        comment.used = True
    return bool(covering)


def _without_database(written: RevisionSql) -> Finding:
    name = written.script.revision
    message = (
        f"Revision {name} cannot be written as SQL without a database, from here on it was not "
        f"looked at ({written.failure}): prove it with `kingpost db rehearse {name}`, then allow "
        "this with that as the reason."
    )
    return _finding(written, NEEDS_DATABASE, message, written.failed_at)


def _finding(
    written: RevisionSql, rule: str, message: str, places: Sequence[Place], sql: str = ""
) -> Finding:
    return Finding(
        file=_shown(written.script.path),
        line=places[0].first if places else 0,
        revision=written.script.revision,
        rule=rule,
        level="error",
        message=message,
        sql=sql,
        cure=cure(sql),
    )


def _shown(file: str) -> str:
    path, folder = Path(file).resolve(), Path.cwd().resolve()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
