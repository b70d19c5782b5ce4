"""Where in a file the code is that runs."""

import sys
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from types import FrameType, TracebackType


@dataclass(frozen=True, slots=True)
class Place:
    """A call in a file.

    Args:
        first: its first line, from 1.
        last: its last line.
    """

    first: int
    last: int


def places(file: Path, frame: FrameType | None = None) -> tuple[Place, ...]:
    """Looks for a file in the stack.

    Args:
        file: absolute and without links.
        frame: from where on; by default from the caller.

    Returns:
        The calls in that file that have led here, the innermost one first.
    """
    frame = frame or sys._getframe(1)
    found = []
    while frame is not None:
        if _resolved(frame.f_code.co_filename) == file:
            found.append(_place(frame, frame.f_lasti))
        frame = frame.f_back
    return tuple(found)


def places_of_error(file: Path, traceback: TracebackType | None) -> tuple[Place, ...]:
    """Looks for a file in the traceback of an error.

    Args:
        file: absolute and without links.
        traceback: of the error.

    Returns:
        The calls in that file that have led to it, the innermost one first.
    """
    found: list[Place] = []
    while traceback is not None:
        if _resolved(traceback.tb_frame.f_code.co_filename) == file:
            found.insert(0, _place(traceback.tb_frame, traceback.tb_lasti))
        traceback = traceback.tb_next
    return tuple(found)


def _place(frame: FrameType, instruction: int) -> Place:
    position = next(islice(frame.f_code.co_positions(), instruction // 2, None), (None, None))
    first = position[0] or frame.f_lineno
    return Place(first, max(first, position[1] or first))


@cache
def _resolved(name: str) -> Path:
    return Path(name).resolve()
