"""Starts the embedded server again when it has ended and nobody who uses it wanted that."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kingpost.embedded.errors import EmbeddedError
from kingpost.embedded.postgres import EmbeddedPostgres

Told = Callable[[str], None]


@contextmanager
def kept_running(server: EmbeddedPostgres, told: Told, *, interval: float = 0.5) -> Iterator[None]:
    """Looks after a server inside the block: if it is stopped or killed, it is started again.

    Args:
        server: started, and not stopped inside the block.
        told: is told in one line what has happened, from another thread.
        interval: seconds between two looks.
    """
    leaving = threading.Event()
    keeper = threading.Thread(target=_keep, args=(server, told, leaving, interval), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        leaving.set()
        keeper.join()


def _keep(server: EmbeddedPostgres, told: Told, leaving: threading.Event, interval: float) -> None:
    last = ""
    while not leaving.wait(interval):
        if server.is_running:
            continue
        happened = _started_again(server)
        if happened != last or server.is_running:
            told(happened)
        last = happened


def _started_again(server: EmbeddedPostgres) -> str:
    """What became of the attempt; without data there would be a new and empty server."""
    if not server.has_data:
        return f"the data of PostgreSQL in {server.folder} are gone: end this and start it again"
    try:
        server.start()
    except EmbeddedError as error:
        return str(error)
    return "PostgreSQL had ended, and was started again"
