"""Doing literally what a page says, in a copy of the project or, for a new one, in an empty folder.

```python file=src/app/schemas/tags.py        the file is written
```diff file=src/app/api/v1/__init__.py       lines with + come after the line above them,
                                              lines with - go away
```console                                    alembic, pytest and kingpost are run
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.architecture.documents import Block, blocks, commands
from tests.architecture.source import ROOT

# Besides what is large: files that other processes of the same run write and remove meanwhile.
LEFT_BEHIND = {
    *(".git", ".venv", ".kingpost", ".hypothesis", ".servers", "node_modules"),
    *("__pycache__", ".*_cache", ".coverage*"),
}
RUN = {"alembic", "pytest", "kingpost", "ruff"}
# What a page that changes the service may break without noticing: the page itself has the rules of
# models, routes and code run. Left out is what takes long and depends on nothing that a page adds:
# servers for the documents, the library, rehearsals of the recipes, rules that see who breaks them.
WHOLE_PROJECT = (
    "pytest -q tests/docs tests/architecture/test_docs.py tests/architecture/test_files.py"
    " tests/architecture/test_layers.py tests/architecture/test_sizes.py"
    " --ignore tests/docs/test_recipes.py -k 'not answer and not seen'"
)


def files_of(page: Path) -> list[str]:
    """The files that a page makes."""
    found = [b for b in blocks(page) if b.file and b.language != "diff" and not b.is_skipped]
    return [block.file for block in found if block.file]


def starts_empty(page: Path) -> bool:
    """Whether a page begins a project of its own."""
    return files_of(page)[:1] == ["pyproject.toml"]


def changes_code(page: Path) -> bool:
    """Whether a page changes files that are there."""
    return any(block.language == "diff" and block.file for block in blocks(page))


def done_already(page: Path) -> str | None:
    """A file that the page would make but that is there: somebody has followed it here."""
    there = [name for name in files_of(page) if (ROOT / name).exists()]
    return there[0] if there and not starts_empty(page) else None


class Follower:
    """A reader with a folder, a database and no imagination."""

    def __init__(self, folder: Path, database_url: str, test_server: Path) -> None:
        self.folder = folder
        self.environ = {
            **os.environ,
            "PYTHONPATH": str(folder / "src"),  # before the installed source of this project
            "APP_DATABASE_URL": database_url,
            "PYTEST_ADDOPTS": f"--kingpost-folder={test_server} --kingpost-drivers=asyncpg",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def copy_project(self) -> None:
        left_behind = shutil.ignore_patterns(*LEFT_BEHIND)
        shutil.copytree(ROOT, self.folder, ignore=left_behind, dirs_exist_ok=True)

    def follow(self, page: Path) -> None:
        for block in blocks(page):
            if block.is_skipped:
                continue
            if block.file is not None:
                self.edit(block, self.folder / block.file)
            elif block.language in {"console", "sh"}:
                for command, _ in commands(block):
                    self.run(command, block.where)

    def edit(self, block: Block, file: Path) -> None:
        if block.language != "diff":
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.code)
            return
        file.write_text(patched(file.read_text(), block))

    def run(self, command: str, where: str) -> None:
        words = shlex.split(command)
        if Path(words[0]).name not in RUN:
            return
        words[0] = Path(words[0]).name
        done = subprocess.run(
            words, cwd=self.folder, env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{where}: $ {command}\n{done.stdout}{done.stderr}"


def patched(text: str, block: Block) -> str:
    """Applies a diff without line numbers: each line is looked for from the last one on."""
    lines, position = text.splitlines(), 0
    first = next(line[1:] for line in block.code.splitlines() if line[:1] != "+")
    told = f"{block.where}: begin with a line that occurs once, not with {first!r}"
    assert lines.count(first) < 2, told
    for line in block.code.splitlines():
        mark, content = line[:1], line[1:]
        if mark == "+":
            lines.insert(position, content)
            position += 1
            continue
        assert content in lines[position:], f"{block.where}: there is no line {content!r}"
        position = lines.index(content, position)
        if mark == "-":
            lines.pop(position)
        else:
            position += 1
    return "\n".join(lines) + "\n"
