"""Signals as something that one can wait for, beside other things."""

import contextlib
import signal
import socket
from collections.abc import Iterable, Iterator
from typing import Self


class Signals:
    """Catches signals inside a block, and keeps them until they are asked for.

    It belongs to the main thread.

    Args:
        numbers: of the signals.

    Attributes:
        wire: can be read when there is one.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = tuple(numbers)
        self._caught: list[int] = []

    def __enter__(self) -> Self:
        self.wire, self._wake = socket.socketpair()
        for end in (self.wire, self._wake):
            end.setblocking(False)
        self._before = {number: signal.signal(number, self._catch) for number in self._numbers}
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self.close()

    def _catch(self, number: int, _frame: object) -> None:
        self._caught.append(number)

    def caught(self) -> Iterator[int]:
        """Those since the last time, in the order in which they came."""
        with contextlib.suppress(BlockingIOError):
            self.wire.recv(4096)
        while self._caught:
            yield self._caught.pop(0)

    def close(self) -> None:
        """Lets go of the wire, in a process that was forked inside the block."""
        self._wake.close()
        self.wire.close()
