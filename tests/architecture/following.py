"""Doing literally what a page says, in a copy of the project.

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

COPIED = ("src", "tests", "pyproject.toml", "README.md", "LICENSE")
RUN = {"alembic", "pytest", "kingpost", "ruff"}


class Follower:
    """A reader with a copy of the project, a database and no imagination."""

    def __init__(self, folder: Path, database_url: str, test_server: Path) -> None:
        self.folder = folder
        self.environ = {
            **os.environ,
            "PYTHONPATH": str(folder / "src"),  # before the installed source of this project
            "APP_DATABASE_URL": database_url,
            "PYTEST_ADDOPTS": f"--kingpost-folder={test_server}",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        ignore = shutil.ignore_patterns("__pycache__")
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=ignore)
            elif (ROOT / name).exists():
                shutil.copy(ROOT / name, folder / name)

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
