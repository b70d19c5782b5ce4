"""Binds the port and serves, with or without reload."""

import gc
import os
import socket
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.supervisors import ChangeReload

from kingpost.project import Project
from kingpost.server import Server
from kingpost.server.sockets import port_of
from kingpost.server.workers import Supervisor, Taken
from kingpost.settings import ServiceSettings


def address(settings: ServiceSettings, sockets: list[socket.socket]) -> str:
    """The URL to reach the service at from this machine.

    Args:
        settings: the host.
        sockets: as bound, which know the port.

    Returns:
        Such as `http://127.0.0.1:8000`.
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    port = port_of(sockets[0])
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(project: Project, settings: ServiceSettings, sockets: list[socket.socket]) -> int:
    """Serves in this process until SIGTERM or SIGINT.

    Args:
        project: the service.
        settings: complete ones, with a database.
        sockets: the listening ones.

    Returns:
        The exit code.
    """
    Server(project.create_app(settings), settings=settings).run(sockets)
    return 0


def serve_supervised(
    project: Project,
    settings: ServiceSettings,
    sockets: list[socket.socket],
    taken: Taken | None = None,
) -> int:
    """Serves in processes of its own until SIGTERM or SIGINT, or until the next one takes over.

    Args:
        project: the service.
        settings: complete ones, with a database.
        sockets: the listening ones.
        taken: where they come from, if they were taken over.

    Returns:
        The exit code.
    """
    project.create_app(settings)  # mistakes show before anything is started, imports are shared
    gc.collect()
    gc.freeze()
    Supervisor(partial(project.create_app, settings), settings, sockets, taken).run()
    return 0


def serve_reloading(
    project: Project, settings: ServiceSettings, sockets: list[socket.socket]
) -> int:
    """Serves in a child process that is replaced whenever the source changes.

    Args:
        project: the service.
        settings: complete ones; they stay the same over reloads.
        sockets: the listening ones, handed to each child.

    Returns:
        The exit code.
    """
    config = uvicorn.Config(
        project.targets["app"], reload=True, reload_dirs=[str(project.source)], log_config=None
    )
    child = partial(_serve_in_child, project.root, dict(settings), os.getpid())
    ChangeReload(config, target=child, sockets=sockets).run()
    return 0


def _serve_in_child(
    root: Path, values: dict[str, Any], parent: int, sockets: list[socket.socket]
) -> None:
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    project = Project.find(root)
    serve(project, project.settings_model.model_validate(values), sockets)


def _end_with(parent: int) -> None:
    """Frees the port when the parent was killed, which no signal tells the child."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)
