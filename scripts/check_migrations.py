"""Migrates a fresh database, then asks Alembic whether it is at the heads and the models fit."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from kingpost.embedded import EmbeddedPostgres
from kingpost.project import Project

ALEMBIC = Path(sys.executable).with_name("alembic")


def main() -> None:
    project = Project.find(Path.cwd())
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        EmbeddedPostgres(Path(folder), durable=False) as server,
    ):
        server.create_database("fresh")
        url = {f"{project.env_prefix}DATABASE_URL": server.url("fresh")}
        alembic(url, "upgrade", "head")
        compare(alembic(url, "current"), alembic(url, "heads"))
        print(alembic(url, "check").strip())


def alembic(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [str(ALEMBIC), *arguments],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if arguments[0] == "check" else subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"alembic {' '.join(arguments)} failed:\n{done.stdout}{done.stderr or ''}")
    return done.stdout


def compare(current: str, heads: str) -> None:
    if sorted(current.split("\n")) != sorted(heads.split("\n")):
        sys.exit(f"the database is at {current!r}, the heads are {heads!r}")
    print(f"The database is at the heads: {heads.strip()}")


if __name__ == "__main__":
    main()
