"""The servers that are compared, and how each is started."""

import sys
from dataclasses import dataclass
from pathlib import Path

ASGI = "benchmarks.server.application:asgi"
RSGI = "benchmarks.server.application:rsgi"
_UVICORN = ["{python}", "-m", "uvicorn", ASGI, "--port", "{port}", "--ws", "none"]
_QUIET = [*_UVICORN, "--no-access-log"]
_BARE = [*_QUIET, "--no-proxy-headers", "--no-server-header"]
_GRANIAN = ["{granian}", "--port", "{port}", "--http", "1", "--no-ws", "--workers", "1"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A server in one configuration.

    Attributes:
        name: short, for the command line.
        title: in the table.
        command: starts it; `{port}`, `{python}` and `{granian}` are put in.
    """

    name: str
    title: str
    command: list[str]

    def started_by(self, port: int, granian: Path) -> list[str]:
        """The command for a port."""
        values = {"port": port, "python": sys.executable, "granian": granian}
        return [word.format_map(values) for word in self.command]


CANDIDATES = (
    Candidate(
        "uvicorn",
        "uvicorn: httptools, uvloop, nothing it can leave out",
        [*_BARE, "--http", "httptools", "--loop", "uvloop"],
    ),
    Candidate(
        "kingpost",
        "**kingpost.server**: the same with GuardedProtocol",
        ["{python}", "-m", "benchmarks.server.kingpost_server", "{port}"],
    ),
    Candidate(
        "granian",
        "granian: ASGI, uvloop",
        [*_GRANIAN, "--interface", "asgi", "--loop", "uvloop", ASGI],
    ),
    Candidate(
        "granian-asyncio",
        "granian: ASGI, asyncio",
        [*_GRANIAN, "--interface", "asgi", "--loop", "asyncio", ASGI],
    ),
    Candidate(
        "granian-rust",
        "granian: ASGI, uvloop, `--task-impl rust`",
        [*_GRANIAN, "--interface", "asgi", "--loop", "uvloop", "--task-impl", "rust", ASGI],
    ),
    Candidate(
        "granian-rsgi",
        "granian: RSGI, uvloop (for information)",
        [*_GRANIAN, "--interface", "rsgi", "--loop", "uvloop", RSGI],
    ),
    Candidate(
        "uvicorn-defaults",
        "uvicorn: + proxy headers and server header, as by default",
        [*_QUIET, "--http", "httptools", "--loop", "uvloop"],
    ),
    Candidate(
        "uvicorn-access-log",
        "uvicorn: + its access log, as by default",
        [*_UVICORN, "--http", "httptools", "--loop", "uvloop"],
    ),
    Candidate(
        "uvicorn-no-date",
        "uvicorn: without the Date header",
        [*_BARE, "--no-date-header", "--http", "httptools", "--loop", "uvloop"],
    ),
    Candidate(
        "uvicorn-asyncio",
        "uvicorn: httptools, asyncio",
        [*_BARE, "--http", "httptools", "--loop", "asyncio"],
    ),
    Candidate("uvicorn-h11", "uvicorn: h11, uvloop", [*_BARE, "--http", "h11", "--loop", "uvloop"]),
)
