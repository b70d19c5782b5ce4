"""Compares the servers: `python -m benchmarks.server`; the table goes into the README beside."""

import argparse
import contextlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.lab import machine, tables
from benchmarks.lab.progress import Progress
from benchmarks.lab.servers import Server, free_port, serving
from benchmarks.server import measuring
from benchmarks.server.candidates import CANDIDATES, Candidate

README = Path(__file__).with_name("README.md")
LOGS = machine.ROOT / ".servers" / "benchmarks"
GRANIAN = machine.ROOT / "benchmarks" / ".venv" / "bin" / "granian"
HEAD = ["", "GET 300 B", "", "p99", "GET 10 KB", "", "p99", "POST 300 B", "", "p99", "MB"]


def main() -> None:
    """Measures what the command line asks for."""
    arguments = _arguments()
    known = {one.name: one for one in CANDIDATES}
    names = arguments.only.split(",") if arguments.only else list(known)
    if strange := [name for name in names if name not in known]:
        sys.exit(f"there is no {strange[0]!r}; known are {', '.join(known)}")
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(_served(known[name], arguments)) for name in names}
        for name, server in servers.items():
            measuring.check(name, server)
        found = _measured(servers, arguments)
        memory = {name: server.memory().resident for name, server in servers.items()}
    text = _table([known[name] for name in names], found, memory)
    print(text)
    if not arguments.only:
        tables.put_between(README, "table", f"{text}\n\n{_circumstances(arguments)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server", description=__doc__)
    parser.add_argument("--only", help="names, separated by commas; then the README stays")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=1, help="of each load")
    parser.add_argument("--granian", type=Path, default=GRANIAN, help="the program")
    return parser.parse_args()


def _served(
    candidate: Candidate, arguments: argparse.Namespace
) -> contextlib.AbstractContextManager[Server]:
    LOGS.mkdir(parents=True, exist_ok=True)
    port = free_port()
    return serving(
        candidate.started_by(port, arguments.granian),
        folder=machine.ROOT,
        environ={},
        port=port,
        core=machine.cores()[1],
        log=LOGS / f"server-{candidate.name}.log",
    )


def _measured(servers: Mapping[str, Server], arguments: argparse.Namespace) -> measuring.Rounds:
    steps = (arguments.rounds + 1) * len(measuring.KINDS) * len(servers)
    progress = Progress(steps, arguments.seconds + 0.3)
    found = measuring.measure(
        servers,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        core=machine.cores()[0],
        progress=progress,
    )
    progress.end()
    return found


def _table(
    candidates: Sequence[Candidate], found: measuring.Rounds, memory: Mapping[str, int]
) -> str:
    base = found[candidates[0].name]
    rows = []
    for one in candidates:
        row = [one.title]
        for kind, rounds in found[one.name].items():
            ratio = measuring.ratio(rounds, base[kind])
            row += [f"{measuring.cpu(rounds):.0f}", f"{ratio:.2f}", f"{measuring.p99(rounds):.0f}"]
        rows.append([*row, f"{memory[one.name] / 1e6:.0f}"])
    return tables.table(HEAD, rows)


def _circumstances(arguments: argparse.Namespace) -> str:
    about = machine.description()
    ours = ", ".join(
        f"{name} {version(name)}" for name in ("uvicorn", "httptools", "h11", "uvloop")
    )
    return (
        f"Medians of {arguments.rounds} rounds of {arguments.seconds} s each; "
        f"Python {about['python']}, {ours}, {_granian(arguments.granian)}; "
        f"{about['cores']} cores of {about['processor']}; "
        f"commit {machine.revision()}."
    )


def _granian(program: Path) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
