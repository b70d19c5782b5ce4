"""A process that migrates and is killed at a statement; a module of its own for its children."""

import os
import signal
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from sqlalchemy import event
from tests.kingpost.migrations.operations.support import changes

from kingpost.migrations import upgrade


def killed_before(folder: Path, url: str, number: int) -> int | None:
    """Upgrades in another process, killed before it sends a statement; gives its exit code."""
    process = started(folder, url, number)
    process.join()
    return process.exitcode


def started(folder: Path, url: str, number: int | None = None) -> ForkServerProcess:
    """A process that upgrades, forked from one that has imported everything already."""
    start = get_context("forkserver")
    start.set_forkserver_preload([__name__])
    process = start.Process(target=_upgrade, args=(folder, url, number))
    process.start()
    return process


def _upgrade(folder: Path, url: str, number: int | None) -> None:
    upgrade(folder, url, observe=lambda engine: _kill(engine, number))


def _kill(engine: Any, number: int | None) -> None:
    sent = []

    def before(_n: Any, _c: Any, sql: str, _p: Any, context: Any, _m: Any) -> None:
        if changes(sql, context):
            sent.append(sql)
            if number is not None and len(sent) > number:
                os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine.sync_engine, "before_cursor_execute", before)
