"""Recognises the same error again, without showing the data that was in it."""

import hashlib
import traceback
from pathlib import PurePath
from types import TracebackType


def type_name(error: BaseException) -> str:
    """The class of an error with its module, such as `sqlalchemy.exc.DBAPIError`."""
    kind = type(error)
    prefix = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return prefix + kind.__qualname__


def fingerprint(error: BaseException) -> str:
    """Twelve hexadecimal digits that are the same for the same error at the same place.

    Made of the types along the chain of causes and the functions on the way, without line
    numbers and messages: an edit elsewhere in a file or other input gives the same one.

    Args:
        error: that was caught.

    Returns:
        The first digits of a SHA-256.
    """
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        parts.append(type_name(current))
        parts += [f"{module} {function}" for module, _, function in frames(current.__traceback__)]
        current = current.__cause__ or current.__context__
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def frames(trace: TracebackType | None) -> list[tuple[str, int, str]]:
    """The way to an error as (file, line, function), the outermost first, without values."""
    return [
        ("/".join(PurePath(frame.filename).parts[-3:]), frame.lineno or 0, frame.name)
        for frame in traceback.StackSummary.extract(traceback.walk_tb(trace), lookup_lines=False)
    ]
