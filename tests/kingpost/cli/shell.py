"""`kingpost db …` typed in the folder of the tiny service, without starting a process."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.kingpost.migrations.support import REVISION

from kingpost.cli.main import main
from kingpost.testing.databases import execute

ADD = 'op.add_column("keys", sa.Column("note", sa.Text))'
DROP = 'op.drop_column("keys", "note")'
CONTRACT = 'phase = "contract"'


@dataclass
class Done:
    code: int
    out: str
    err: str


class Shell:
    """Types `kingpost db …` in the folder of the tiny service, in this process."""

    def __init__(self, root: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.url, self._capsys = root, url, capsys
        self.folder = root / "src" / "tiny" / "migrations"

    def __call__(self, *arguments: str) -> Done:
        self._capsys.readouterr()
        code = main(["db", *arguments])
        told = self._capsys.readouterr()
        return Done(code, told.out, told.err)

    def add(self, revision: str, follows: str, up: str, marks: str = "") -> None:
        text = REVISION.format(
            title=f"Step {revision}.",
            revision=revision,
            follows=follows,
            marks=marks,
            up=f"    {up}",
        )
        (self.folder / "versions" / f"{revision}.py").write_text(text)

    def at(self) -> str:
        rows = execute(self.url, "SELECT version_num FROM alembic_version")
        return str(rows[0][0]) if rows else ""
