"""What peers need before they can start: a venv of the lock, `npm ci`, a build."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.lab.machine import ROOT
from benchmarks.service.contenders import VENV, Peer

_LOCK = ROOT / "benchmarks" / "requirements.lock"
_VERSIONS = """
import json, sys
from importlib.metadata import version
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


class InstallFailed(RuntimeError):
    """A package manager failed; it has said why."""


def startable(peers: Sequence[Peer]) -> tuple[list[Peer], dict[str, str]]:
    """Installs what the peers need.

    Args:
        peers: who is to take part.

    Returns:
        Who can, and the reason for each of the others by name.

    Raises:
        InstallFailed: something could not be installed.
    """
    able, left_out = [], {}
    for peer in peers:
        reason = _missing(peer)
        if reason is None:
            able.append(peer)
        else:
            left_out[peer.name] = reason
    if any(peer.kind == "python" for peer in able):
        _install_python()
    for peer in able:
        if peer.kind == "node":
            _install_node(peer)
    return able, left_out


def _missing(peer: Peer) -> str | None:
    if peer.kind == "node" and not (shutil.which("node") and shutil.which("npm")):
        return "node and npm are not installed"
    return None


def _install_python() -> None:
    marker, wanted = VENV / "installed", _digest(_LOCK)
    if marker.exists() and marker.read_text() == wanted:
        return
    _say("Setting up the peers' own venv (about half a minute) ...")
    if not (VENV / "bin/python").exists():
        _run([sys.executable, "-m", "venv", str(VENV)], ROOT)
    pip = [str(VENV / "bin/python"), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    _run([*pip, "--require-hashes", "--no-deps", "-r", str(_LOCK)], ROOT)
    marker.write_text(wanted)


def _install_node(peer: Peer) -> None:
    marker, wanted = peer.folder / "node_modules/.installed", _sources(peer)
    if marker.exists() and marker.read_text() == wanted:
        return
    _say(f"Installing {peer.name} ...")
    _run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], peer.folder)
    if peer.build:
        _run(list(peer.build), peer.folder)
    marker.write_text(wanted)


def _sources(peer: Peer) -> str:
    """Changes when the lock or, for a peer that is built, its code does."""
    files = [peer.folder / "package-lock.json"]
    if peer.build:
        files += sorted((peer.folder / "src").rglob("*.ts"))
    return "".join(map(_digest, files))


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise InstallFailed(f"failed in {folder.relative_to(ROOT)}: {' '.join(command[:4])} …")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def versions(peer: Peer) -> dict[str, str]:
    """The versions of the packages that the peer names, and of its runtime."""
    if peer.kind == "node":
        found = {"node": _output(["node", "--version"]).removeprefix("v")}
        return found | {name: _node_version(peer, name) for name in peer.versions}
    python = sys.executable if peer.ours else str(VENV / "bin/python")
    told: dict[str, str] = json.loads(_output([python, "-c", _VERSIONS, *peer.versions]))
    return {"python": _output([python, "--version"]).split()[-1], **told}


def _node_version(peer: Peer, name: str) -> str:
    package = peer.folder / "node_modules" / name / "package.json"
    return str(json.loads(package.read_text())["version"])


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
