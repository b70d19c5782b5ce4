"""Imports go one way. The contracts stand in pyproject.toml; here they are proven to bite."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.architecture.source import ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]
BREACHES = [
    ("layers", "app/repositories/example.py", "import app.services"),
    ("layers", "app/services/example.py", "from app.api import v1"),
    ("layers", "app/db/example.py", "from app import repositories"),
    ("layers", "app/api/example.py", "from app import main"),
    ("leaves", "app/schemas/example.py", "import app.db"),
    ("leaves", "app/core/example.py", "import app.db"),
    ("library", "kingpost/example.py", "from app import errors"),
    ("database-layer", "kingpost/database/example.py", "import pydantic"),
    ("database-layer", "kingpost/pagination/example.py", "from fastapi import Query"),
    ("database-layer", "kingpost/database/example.py", "import kingpost.settings"),
    ("projection", "kingpost/projection/example.py", "from kingpost.http import Schema"),
    ("projection", "kingpost/projection/example.py", "import starlette.requests"),
]


def test_imports_go_one_way() -> None:
    done = lint_imports(ROOT)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("contract", "path", "breach"), BREACHES)
def test_an_import_against_the_way_is_seen(
    tmp_path: Path, contract: str, path: str, breach: str
) -> None:
    skeleton(tmp_path)
    (tmp_path / "src" / path).write_text(f"{breach}\n")
    name = next(c["name"] for c in CONTRACTS if c["id"] == contract)

    done = lint_imports(tmp_path)

    assert done.returncode == 1, done.stdout
    assert f"{name} BROKEN" in done.stdout


def test_every_contract_is_proven() -> None:
    assert {contract for contract, _, _ in BREACHES} == {c["id"] for c in CONTRACTS}


def skeleton(root: Path) -> None:
    """The packages that the contracts name, without any content."""
    (root / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    for contract in CONTRACTS:
        for key in ("layers", "source_modules", "forbidden_modules"):
            for name in contract.get(key, []):
                make_package(root / "src", name)
    (root / "src/kingpost/settings.py").write_text("import pydantic")


def make_package(folder: Path, name: str) -> None:
    if name.partition(".")[0] not in {"app", "kingpost"}:
        return
    for part in name.split("."):
        folder /= part
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").touch()


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    code = (
        f"import sys; sys.path.insert(0, {str(root / 'src')!r}); "
        "from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    arguments = ["--no-cache", "--config", str(root / "pyproject.toml")]
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
