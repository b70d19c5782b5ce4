"""Reading the source, and rules about single nodes of it."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"


@dataclass(frozen=True)
class Source:
    """One file: its path below src, as in `app/main.py`, its text and its tree."""

    path: str
    text: str
    tree: ast.Module = field(compare=False, hash=False)

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def is_migration(self) -> bool:
        return "/migrations/versions/" in self.path


def source(path: str, text: str) -> Source:
    return Source(path, text, ast.parse(text, path))


@cache
def sources() -> tuple[Source, ...]:
    files = sorted(SRC.rglob("*.py"))
    return tuple(source(f.relative_to(SRC).as_posix(), f.read_text()) for f in files)


@dataclass(frozen=True)
class Rule:
    """What no node of the source may be, but in the files where it belongs.

    `bad` are snippets that the rule must see, `good` ones that it must leave alone.
    """

    name: str
    instead: str
    forbids: Callable[[ast.AST], bool]
    bad: tuple[str, ...]
    good: tuple[str, ...] = ()
    within: tuple[str, ...] = ("",)
    except_in: tuple[str, ...] = ()

    def applies_to(self, path: str) -> bool:
        """Migrations are history: nobody changes them when a rule comes."""
        if "/migrations/versions/" in path:
            return False
        return path.startswith(self.within) and not path.startswith(self.except_in or ("\0",))

    def broken_in(self, file: Source) -> Iterator[str]:
        for node in ast.walk(file.tree):
            if self.forbids(node):
                yield f"src/{file.path}:{node.lineno}: {self.name}; {self.instead}"


def dotted(node: ast.AST) -> str:
    """`a.b.c` for a chain of names, with `()` for a call in it; empty for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            return f"{dotted(value)}.{attribute}"
        case ast.Call(func=function):
            return f"{dotted(function)}()"
        case ast.Await(value=value):
            return dotted(value)
    return ""


def called(node: ast.AST) -> str:
    """The last name of what is called, `commit` for `await tx.session.commit()`; else empty."""
    return dotted(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""


def imported(node: ast.AST) -> list[str]:
    """The full names that an import statement brings in."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names):
            return [f"{module or ''}.{alias.name}" for alias in names]
    return []
