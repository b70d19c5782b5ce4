"""One line that says what is measured and how long it still takes."""

import sys
import time
from typing import TextIO


class Progress:
    """Counts steps and tells the time left by how long the steps took so far.

    Args:
        steps: how many there will be.
        expected: seconds of one step, as long as none is done.
        stream: written to; lines replace each other when it is a terminal.
    """

    def __init__(self, steps: int, expected: float, stream: TextIO = sys.stderr) -> None:
        self.steps = steps
        self.expected = expected
        self.done = 0
        self._stream = stream
        self._started = time.monotonic()

    def next(self, what: str) -> None:
        """Says what begins now."""
        left = _spoken(self.seconds_left(time.monotonic() - self._started))
        self._write(f"{self.done + 1:3}/{self.steps}  {what:52} {left:>8} left")
        self.done += 1

    def seconds_left(self, elapsed: float) -> float:
        """How long the steps take that are not done yet.

        Args:
            elapsed: seconds since the first one began.
        """
        each = elapsed / self.done if self.done else self.expected
        return each * (self.steps - self.done)

    def end(self) -> None:
        """Leaves the line."""
        if self._stream.isatty():
            self._stream.write("\r\033[K")
            self._stream.flush()

    def _write(self, line: str) -> None:
        shown = f"\r\033[K{line}" if self._stream.isatty() else f"{line}\n"
        self._stream.write(shown)
        self._stream.flush()


def _spoken(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
