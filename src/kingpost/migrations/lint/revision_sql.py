"""The SQL of a revision, without a database, and which line has written which statement."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationStep
from alembic.script import Script, ScriptDirectory

from kingpost.migrations.lint.places import Place, places, places_of_error
from kingpost.migrations.rehearsal.splitting import Piece, ScriptError, split


@dataclass(frozen=True, slots=True)
class Written:
    """A statement of a revision.

    Args:
        sql: without its semicolon.
        places: the lines of the revision's file that wrote it, the innermost call first; none
            for what Alembic adds.
    """

    sql: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class RevisionSql:
    """What a revision would do.

    Args:
        script: the revision.
        statements: in order, with BEGIN and COMMIT.
        failure: why it could not be written down to its end; empty if it could.
        failed_at: the lines of its file where that was.
    """

    script: Script
    statements: tuple[Written, ...]
    failure: str = ""
    failed_at: tuple[Place, ...] = ()


def revision_sql(config: Config, scripts: ScriptDirectory, script: Script) -> RevisionSql:
    """Runs the upgrade of a revision offline, as `alembic upgrade --sql` does.

    Args:
        config: of Alembic; its output goes astray.
        scripts: the folder of migrations.
        script: the revision.

    Returns:
        Its statements up to the first line that needs a database.

    Raises:
        Exception: what env.py raises.
    """
    file = Path(script.path).resolve()
    recorder = _Recorder(file)
    failure: str = ""
    failed_at: tuple[Place, ...] = ()
    config.output_buffer = recorder  # type: ignore[assignment] # all that Alembic calls is there
    try:
        with _context(config, scripts, script):
            scripts.run_env()
    except Exception as error:
        failed_at = places_of_error(file, error.__traceback__)
        if not failed_at:
            raise
        failure = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return RevisionSql(script, tuple(recorder.statements), failure, failed_at)


def _context(config: Config, scripts: ScriptDirectory, script: Script) -> EnvironmentContext:
    def step(*_: Any) -> list[MigrationStep]:
        return [MigrationStep.upgrade_from_script(scripts.revision_map, script)]

    before = script.down_revision
    return EnvironmentContext(
        config,
        scripts,
        fn=step,
        as_sql=True,
        starting_rev=before or "base",
        destination_rev=script.revision,
    )


class _Recorder:
    """Takes what Alembic prints, one statement at a time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.statements: list[Written] = []

    def write(self, text: str) -> None:
        text = text.replace("%%", "%")  # as a driver would
        try:
            pieces = split(text)
        except ScriptError:
            pieces = (Piece(text.strip(), 1),)
        found = places(self._file)
        self.statements += [Written(piece.sql, found) for piece in pieces]

    def flush(self) -> None:
        """Nothing is kept back."""
