#!/usr/bin/env python3
"""Writes the locks from what they are made of; with --check only says whether they are up to date.

requirements.lock holds every extra and the development tools, benchmarks/requirements.lock what
the benchmarks compare us with: for all platforms, with hashes and without the address of any
index, so that pip takes the packages from wherever it is configured to look.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Each lock, and what it is compiled from.
LOCKS = {
    ROOT / "requirements.lock": ["pyproject.toml", "--all-extras", "--group", "dev"],
    ROOT / "benchmarks/requirements.lock": ["benchmarks/requirements.in", "--python-version=3.11"],
}
UV = Path(sys.executable).with_name("uv")


def compile_lock(source: list[str], target: Path, *, upgrade: bool) -> None:
    options = ["--universal", "--generate-hashes"]
    options += ["--no-emit-index-url", "--no-emit-find-links", "--no-cache", "--quiet"]
    options += ["--custom-compile-command", "make lock", "--output-file", str(target)]
    options += ["--upgrade"] if upgrade else []
    command = [str(UV), "pip", "compile", *source, *options]
    done = subprocess.run(command, cwd=ROOT, env=uv_environment(), check=False)
    if done.returncode != 0:
        sys.exit("lock: could not be compiled")
    if any(word in target.read_text() for word in ("://", "file:", "--index", "--find-links")):
        sys.exit("lock: it would contain an address; check the configuration of uv")


def uv_environment() -> dict[str, str]:
    """Where pip was told to look for packages, told to uv."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    lines = (line.partition("=") for line in listed.stdout.splitlines())
    pip = {name.rpartition(".")[2]: value.strip("'") for name, _, value in lines}
    told = {"SSL_CERT_FILE": pip.get("cert"), "UV_DEFAULT_INDEX": pip.get("index-url")}
    return {name: value for name, value in told.items() if value} | os.environ


def check(source: list[str], lock: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder) / lock.name
        shutil.copy(lock, again)  # the versions there are kept wherever they still fit
        compile_lock(source, again, upgrade=False)
        if again.read_text() != lock.read_text():
            sys.exit(f"lock: {lock.relative_to(ROOT)} is not up to date; run `make lock`")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    arguments = parser.parse_args()
    for lock, source in LOCKS.items():
        if arguments.check:
            check(source, lock)
        else:
            compile_lock(source, lock, upgrade=arguments.upgrade)


if __name__ == "__main__":
    main()
