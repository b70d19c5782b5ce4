import sys
from pathlib import Path

import pytest

from kingpost.cli.program import program


def test_a_program_of_the_folder_is_typed_with_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / ".venv" / "bin" / "kingpost"), "dev"])

    assert program() == ".venv/bin/kingpost"
    assert program("alembic") == ".venv/bin/alembic"


@pytest.mark.parametrize(("on_the_path", "typed"), [(True, "kingpost"), (False, None)])
def test_a_program_from_elsewhere_is_typed_by_name_if_the_shell_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_the_path: bool, typed: str | None
) -> None:
    beside = tmp_path / "my programs" / "kingpost"
    beside.parent.mkdir()
    beside.touch(mode=0o755)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    monkeypatch.setattr(sys, "argv", [str(beside), "dev"])
    monkeypatch.setenv("PATH", str(beside.parent) if on_the_path else "")

    assert program() == (typed or f"'{beside}'")
