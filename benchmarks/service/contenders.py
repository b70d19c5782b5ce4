"""Who takes part: each peer's description, and how it is started on a database."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import environ as our_environment
from pathlib import Path
from typing import Any, Literal

from benchmarks.lab.machine import ROOT
from benchmarks.lab.postgres import Postgres
from benchmarks.lab.servers import Server, free_port, serving

FOLDER = Path(__file__).with_name("peers")
VENV = ROOT / "benchmarks" / ".venv"
POOL_SIZE = 10
SECRET = "a secret for benchmarks, of 32 characters and more"

Kind = Literal["kingpost", "python", "node"]
_PATHS = {"user": "/users/{id}", "page": "/posts?limit=20", "create": "/posts"}


class PeerError(ValueError):
    """A peer's description is wrong, or there is no such peer."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A service that is measured.

    Attributes:
        name: the folder, with `-variant` behind it when there are several.
        title: how tables and plots name it.
        kind: what it runs on.
        folder: where its files are.
        command: what starts it, with `{port}` for the port.
        build: what is run once before.
        versions: packages whose versions are stated.
        paths: of the requests `user`, `page` and `create`.
        items: where the posts of a page are; empty when the page is the list.
        environment: more variables.
    """

    name: str
    title: str
    kind: Kind
    folder: Path
    command: Sequence[str]
    build: Sequence[str] = ()
    versions: Sequence[str] = ()
    paths: Mapping[str, str] = field(default_factory=lambda: dict(_PATHS))
    items: str = "items"
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether this is Kingpost."""
        return self.kind == "kingpost"


def all_peers(folder: Path = FOLDER) -> list[Peer]:
    """All peers, by name.

    Raises:
        PeerError: a description is wrong.
    """
    return [peer for found in sorted(folder.glob("*/peer.toml")) for peer in described(found)]


def described(file: Path) -> list[Peer]:
    """Reads one `peer.toml`.

    Returns:
        The peer, or one per variant.

    Raises:
        PeerError: it is wrong.
    """
    try:
        told = tomllib.loads(file.read_text())
        variants = told.pop("variants", {})
        plain = _peer(file.parent.name, file.parent, told)
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise PeerError(f"{file}: {error}") from error
    return [_variant(plain, name, more) for name, more in variants.items()] or [plain]


def _peer(name: str, folder: Path, told: dict[str, Any]) -> Peer:
    return Peer(
        name=name,
        title=told["title"],
        kind=told["kind"],
        folder=folder,
        command=told["command"],
        build=told.get("build", ()),
        versions=told.get("versions", ()),
        paths=_PATHS | told.get("paths", {}),
        items=told.get("answers", {}).get("items", "items"),
        environment=told.get("environment", {}),
    )


def _variant(plain: Peer, name: str, more: Mapping[str, Any]) -> Peer:
    return Peer(
        name=f"{plain.name}-{name}",
        title=more.get("title", plain.title),
        kind=plain.kind,
        folder=plain.folder,
        command=more.get("command", plain.command),
        build=plain.build,
        versions=plain.versions,
        paths=plain.paths,
        items=plain.items,
        environment={**plain.environment, **more.get("environment", {})},
    )


def chosen(peers: Sequence[Peer], only: str | None) -> list[Peer]:
    """The peers of a list such as `kingpost,starlette`; a folder's name means all its variants.

    Raises:
        PeerError: nobody is called so.
    """
    if only is None:
        return list(peers)
    found: list[Peer] = []
    for name in only.split(","):
        meant = [peer for peer in peers if name in (peer.name, peer.folder.name)]
        if not meant:
            known = ", ".join(peer.name for peer in peers)
            raise PeerError(f"there is no peer {name!r}; known are {known}")
        found += [peer for peer in meant if peer not in found]
    return found


@dataclass(frozen=True, slots=True)
class Contender:
    """A peer that runs.

    Attributes:
        peer: which.
        server: its process.
        headers: sent with each request.
    """

    peer: Peer
    server: Server
    headers: Mapping[str, str]


@contextmanager
def running(peer: Peer, postgres: Postgres, *, core: int, logs: Path) -> Iterator[Contender]:
    """Starts a peer on a database that is migrated and filled.

    Args:
        peer: which.
        postgres: its database.
        core: the CPU core that it may use.
        logs: folder for the file with all it writes.

    Yields:
        The running peer.

    Raises:
        ServerFailed: it did not start.
    """
    port = free_port()
    environ = {"PORT": str(port), "POOL_SIZE": str(POOL_SIZE), **postgres.environment}
    headers = {"Accept": "application/json"}
    folder = peer.folder
    if peer.ours:
        folder = ROOT
        environ |= _settings(peer, postgres, port)
        headers["Authorization"] = f"Bearer {_new_key(environ)}"
    with serving(
        _command(peer, port),
        folder=folder,
        environ={**environ, **peer.environment},
        port=port,
        core=core,
        log=logs / f"{peer.name}.log",
    ) as server:
        yield Contender(peer, server, headers)


def _command(peer: Peer, port: int) -> list[str]:
    program, *arguments = (part.replace("{port}", str(port)) for part in peer.command)
    if peer.kind == "python":
        program = str(VENV / "bin" / program)
    elif peer.kind == "kingpost":
        program = str(Path(sys.executable).with_name(program))
    return [program, *arguments]


def _settings(peer: Peer, postgres: Postgres, port: int) -> dict[str, str]:
    driver: Literal["asyncpg", "psycopg"] = (
        "psycopg" if peer.name.endswith("psycopg") else "asyncpg"
    )
    return {
        "APP_ENVIRONMENT": "production",
        "APP_SECRET": SECRET,
        "APP_DATABASE_URL": postgres.url(driver),
        "APP_POOL_SIZE": str(POOL_SIZE),
        "APP_DIRECT_POOL_SIZE": str(POOL_SIZE),
        "APP_PORT": str(port),
    }


def _new_key(environ: Mapping[str, str]) -> str:
    """Makes a key as an operator does, with `kingpost keys create`."""
    command = [str(Path(sys.executable).with_name("kingpost")), "keys", "create", "benchmark"]
    for scope in ("users:read", "users:write", "posts:read", "posts:write"):
        command += ["--scope", scope]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**our_environment, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    key = re.search(r"^key\s+(\S+)$", done.stdout, re.MULTILINE)
    if key is None:
        raise PeerError(f"kingpost keys create: {done.stderr.strip()[-800:]}")
    return key[1]
