"""Ctrl-C: it waits for what must not stay half done, and is not taken for a failure."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Holds back Ctrl-C until the block is done; in other threads than the main one nobody does.

    Raises:
        KeyboardInterrupt: at the end, if it was pressed meanwhile.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    pressed = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: pressed.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed.is_set():
            raise KeyboardInterrupt


def is_interrupt(error: BaseException | None) -> bool:
    """Whether it was Ctrl-C in the end that made something fail.

    Args:
        error: a failure, perhaps of what was cleaned up after the interrupt.

    Returns:
        True if it is an interrupt, or was raised while one was handled.
    """
    while error is not None:
        if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
            return True
        error = error.__cause__ or error.__context__
    return False
