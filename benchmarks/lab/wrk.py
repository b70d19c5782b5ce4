"""Load by wrk: one thread, keep-alive connections, requests taken at random from a list."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.lab.machine import ROOT, pinned

_SCRIPT = Path(__file__).with_name("load.lua")
_INSTALLED = ROOT / ".servers" / "wrk" / "wrk"


class LoadFailed(RuntimeError):
    """wrk could not run, or said something that is no result."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request that wrk may send.

    Attributes:
        method: such as GET.
        path: with its query.
        body: JSON on one line, or None.
    """

    method: str
    path: str
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw.

    Attributes:
        requests: answers that came in.
        seconds: how long it ran.
        errors: failed connections, reads, writes, timeouts and answers with a status of 400 up.
        p50: median latency in milliseconds; p95, p99 and longest likewise.
    """

    requests: int
    seconds: float
    errors: int
    p50: float
    p95: float
    p99: float
    longest: float

    @classmethod
    def parse(cls, output: str) -> "Load":
        """Reads the line that `load.lua` prints.

        Raises:
            LoadFailed: there is no such line.
        """
        lines = [line for line in output.splitlines() if line.startswith("RESULT ")]
        if not lines:
            raise LoadFailed(f"wrk gave no result: {' '.join(output.split())[-300:]}")
        told = json.loads(lines[-1].removeprefix("RESULT "))
        kinds = ("connect", "read", "write", "status", "timeout")
        return cls(
            requests=told["requests"],
            seconds=told["microseconds"] / 1e6,
            errors=sum(told[kind] for kind in kinds),
            p50=told["p50"] / 1000,
            p95=told["p95"] / 1000,
            p99=told["p99"] / 1000,
            longest=told["max"] / 1000,
        )

    @property
    def per_second(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def program() -> str:
    """Finds wrk on PATH or where `scripts/install-wrk` puts it, and installs it if need be.

    Raises:
        LoadFailed: it is not there and cannot be installed.
    """
    found = shutil.which("wrk")
    if found is None and not _INSTALLED.exists():
        done = subprocess.run([str(ROOT / "scripts" / "install-wrk")], check=False)
        if done.returncode != 0:
            raise LoadFailed("wrk is missing and could not be installed; see above")
    return found or str(_INSTALLED)


def put_load(
    url: str,
    requests: Sequence[Request],
    *,
    seconds: float,
    connections: int,
    core: int,
    headers: Mapping[str, str] | None = None,
) -> Load:
    """Lets wrk send requests for some time.

    Args:
        url: scheme, host and port.
        requests: taken from at random.
        seconds: how long; wrk counts whole seconds, so it is rounded up.
        connections: kept open and always busy.
        core: the CPU core that wrk may use.
        headers: sent with each request.

    Returns:
        What wrk saw.

    Raises:
        LoadFailed: wrk could not run.
    """
    whole = max(1, -int(-seconds // 1))
    command = [program(), "-t1", f"-c{connections}", f"-d{whole}", "--timeout", "10s"]
    content = {"Content-Type": "application/json"} if requests[0].body else {}
    for name, value in {**(headers or {}), **content}.items():
        command += ["-H", f"{name}: {value}"]
    with tempfile.NamedTemporaryFile("w", suffix=".requests") as listed:
        listed.write(written(requests))
        listed.flush()
        command += ["-s", str(_SCRIPT), url, "--", listed.name]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, preexec_fn=pinned(core)
        )
    if done.returncode != 0:
        raise LoadFailed(f"wrk failed: {done.stderr.strip() or done.stdout.strip()}")
    return Load.parse(done.stdout)


def written(requests: Sequence[Request]) -> str:
    """The requests as `load.lua` reads them: three lines each."""
    return "".join(f"{one.method}\n{one.path}\n{one.body or '-'}\n" for one in requests)
