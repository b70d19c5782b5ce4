"""It stays small enough to be read in an afternoon."""

import ast

import pytest
from tests.architecture.source import ROOT, Source, source, sources

LONGEST_FUNCTION = 50
LONGEST_FILE = 300
LONGEST_README = 140
LONGEST_MAKEFILE = 60


def too_long(file: Source) -> list[str]:
    if file.is_migration:
        return []
    found = [
        f"src/{file.path}:{node.lineno}: {node.name} has {lines(node)} lines, "
        f"{LONGEST_FUNCTION} are allowed; give a step of it a name"
        for node in ast.walk(file.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and lines(node) > LONGEST_FUNCTION
    ]
    length = len(file.text.splitlines())
    if length > LONGEST_FILE:
        found.append(f"src/{file.path}: {length} lines, {LONGEST_FILE} are allowed; split it")
    return found


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Of the function without its docstring: explaining more must cost nothing."""
    start = function.body[0]
    explained = isinstance(start, ast.Expr) and isinstance(start.value, ast.Constant)
    doc = (start.end_lineno or 0) - start.lineno + 1 if explained else 0
    return (function.end_lineno or 0) - function.lineno + 1 - doc


def test_functions_and_files_are_short() -> None:
    found = [line for file in sources() for line in too_long(file)]

    assert not found, "\n".join(found)


@pytest.mark.parametrize("text", ["def f():\n" + "    x()\n" * 51, "x = 1\n" * 301])
def test_the_limit_is_seen(text: str) -> None:
    assert too_long(source("app/example.py", text))


def test_a_docstring_does_not_count() -> None:
    doc = '    """' + "\n" * 60 + '    """\n'

    assert not too_long(source("app/example.py", f"def f():\n{doc}    return 1\n"))


@pytest.mark.parametrize(
    ("name", "limit"), [("README.md", LONGEST_README), ("Makefile", LONGEST_MAKEFILE)]
)
def test_what_everybody_reads_first_is_short(name: str, limit: int) -> None:
    assert len((ROOT / name).read_text().splitlines()) < limit
