"""Lines on standard output: at once, or together with all of the same turn of the event loop."""

import asyncio
import sys
from collections import deque


class Lines:
    """Writes lines to standard output, in the order in which they were given.

    Writing costs a system call, whether one line is written or fifty. What a server says of
    every request is therefore collected, and written at the end of the turn of the event loop,
    before any other line, and at the end of the process.

    A full disk fails no request: a line that cannot be written is lost.
    """

    def __init__(self) -> None:
        # A deque and no lock: a line may come from another thread, or from a destructor that
        # runs while this one writes.
        self._waiting: deque[str] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    def write(self, line: str) -> None:
        """Writes a line at once, after those that wait.

        Args:
            line: without its end.
        """
        self._waiting.append(line)
        self.flush()

    def collect(self, line: str) -> None:
        """Has a line written at the end of this turn of the running event loop.

        Args:
            line: without its end.
        """
        self._waiting.append(line)
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            loop.call_soon(self.flush)

    def flush(self) -> None:
        """Writes the lines that wait."""
        self._loop = None
        lines = []
        while self._waiting:
            lines.append(self._waiting.popleft())
        if not lines:
            return
        try:
            sys.stdout.write("\n".join(lines) + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            return  # ValueError: it was closed
