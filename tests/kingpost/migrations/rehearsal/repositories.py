"""The service in a git repository of its own."""

import shutil
import subprocess
from pathlib import Path

from kingpost.project import Project


def copied(project: Project, folder: Path) -> Project:
    """A copy of a service, all of it in one commit."""
    root = folder / "project"
    shutil.copytree(project.root / "src" / "app", root / "src" / "app")
    shutil.copy(project.root / "pyproject.toml", root)
    git(root, "init", "--quiet")
    commit(root, "works")
    return Project.find(root)


def commit(root: Path, message: str) -> None:
    git(root, "add", "--all")
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    git(root, *who, "commit", "--quiet", "--message", message)


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True
    ).stdout
