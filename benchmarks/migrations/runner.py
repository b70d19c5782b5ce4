"""A process that migrates, and what it said at which time."""

import asyncio
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.migrations.clock import Clock

_BEGUN = re.compile(r"Running upgrade \S* ?-> (\w+)")  # as Alembic tells a step
_DONE = re.compile(r"^(\w+)  .*  (\d+\.\d+) s$")  # as Kingpost tells one
_SECONDS = 300.0
# Elsewhere it has a machine of its own; here it must not take the service's, when it starts.
_BEHIND = ("nice", "-n", "10")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of its output.

    Attributes:
        at: when it came, in seconds of the clock.
        text: the line.
    """

    at: float
    text: str


@dataclass
class Run:
    """A run of a migration command.

    Attributes:
        began: seconds of the clock.
        ended: the same.
        code: its exit code.
        lines: its output, errors included.
    """

    began: float
    ended: float = 0.0
    code: int = -1
    lines: list[Line] = field(default_factory=list)

    @property
    def steps(self) -> list[tuple[str, float, float]]:
        """The revisions it ran, each with its beginning and its end."""
        done = [(found, line.at) for line in self.lines if (found := _DONE.match(line.text))]
        if done:
            return [(found[1], at - float(found[2]), at) for found, at in done]
        begun = [(found[1], line.at) for line in self.lines if (found := _BEGUN.search(line.text))]
        ends = [at for _, at in begun[1:]] + [self.ended]
        return [(name, at, end) for (name, at), end in zip(begun, ends, strict=False)]

    @property
    def gave_way(self) -> int:
        """How often it let others pass and tried again."""
        return sum("trying again in" in line.text for line in self.lines)

    @property
    def text(self) -> str:
        """All it said."""
        return "\n".join(line.text for line in self.lines)

    @property
    def last_word(self) -> str:
        """The last line it said that says something."""
        said = [line.text.strip() for line in self.lines if line.text.strip()]
        named = [one for one in said if re.match(r"[\w.]+(Error|Exception)?: ", one)]
        return (named or said or [""])[-1]


async def run(
    command: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    clock: Clock,
    *,
    runs: list[Run] | None = None,
) -> Run:
    """Runs a command of this environment to its end, five minutes at most.

    Args:
        command: its first word is looked for beside this Python.
        folder: where it is started.
        environ: all of its environment.
        clock: the time.
        runs: it is added to them when it starts.

    Returns:
        What became of it.
    """
    done = Run(clock())
    if runs is not None:
        runs.append(done)
    program, *arguments = command
    process = await asyncio.create_subprocess_exec(
        *_BEHIND,
        str(Path(sys.executable).with_name(program)), *arguments,
        cwd=folder, env={**environ, "PYTHONUNBUFFERED": "1"},
        stdin=asyncio.subprocess.DEVNULL, stdout=PIPE, stderr=STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_SECONDS):
            assert process.stdout is not None
            async for line in process.stdout:
                done.lines.append(Line(clock(), line.decode(errors="replace").rstrip()))
            done.code = await process.wait()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    done.ended = clock()
    return done
