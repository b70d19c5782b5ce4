"""Texts that match a regular expression, as SQL that depends on a row's number."""

import re
from dataclasses import dataclass

from kingpost.migrations.rehearsal.values import fold

_CLASSES = {
    "d": "0123456789",
    "w": "0123456789abcdefghijklmnopqrstuvwxyz",
    "s": " ",
    "D": "abcdefghij",
    "W": "-.,;",
    "S": "0123456789abcdefghijklmnopqrstuvwxyz",
}
_NAMED = {
    "digit": "0123456789",
    "alpha": "abcdefghijklmnopqrstuvwxyz",
    "alnum": "0123456789abcdefghijklmnopqrstuvwxyz",
    "lower": "abcdefghijklmnopqrstuvwxyz",
    "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "xdigit": "0123456789abcdef",
    "space": " ",
    "punct": "-.,;",
}
_PLAIN = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_COUNT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_OPEN = 8
"""How often a part is repeated that may be repeated without end."""


class TooHard(ValueError):
    """The expression uses what this small reader does not know."""


@dataclass
class _Reader:
    pattern: str
    at: int = 0

    def peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def take(self) -> str:
        self.at += 1
        return self.pattern[self.at - 1 : self.at]


def sample(pattern: str, n: str = "n") -> str | None:
    """A text that a regular expression matches (PostgreSQL, chapter 9.7.3).

    Args:
        pattern: the expression, of which the common parts are understood: classes, groups,
            alternatives (the first is taken), counts.
        n: SQL for the row's number.

    Returns:
        SQL that differs from row to row where the expression allows it; None if the expression
        is too hard.
    """
    try:
        parts = _alternatives(_Reader(pattern), n)
    except TooHard:
        return None
    return " || ".join(parts) if parts else "''"


def _alternatives(reader: _Reader, n: str) -> list[str]:
    first = _sequence(reader, n)
    while reader.peek() == "|":
        reader.take()
        _sequence(reader, n)
    return first


def _sequence(reader: _Reader, n: str) -> list[str]:
    parts: list[str] = []
    while (character := reader.peek()) not in {"", "|", ")"}:
        if character in "^$":
            reader.take()
        elif character == "(":
            group = _group(reader, n)
            low, _ = _count(reader)
            parts += group * max(low, 1)
        else:
            allowed = _allowed(reader)
            low, high = _count(reader)
            parts += _repeated(allowed, low if high == low else min(max(low, _OPEN), high), n)
    return parts


def _group(reader: _Reader, n: str) -> list[str]:
    reader.take()
    if reader.peek() == "?":
        if reader.pattern[reader.at : reader.at + 2] != "?:":
            raise TooHard
        reader.at += 2
    parts = _alternatives(reader, n)
    if reader.take() != ")":
        raise TooHard
    return parts


def _allowed(reader: _Reader) -> str:
    character = reader.take()
    if character == ".":
        return _PLAIN
    if character == "[":
        return _bracket(reader)
    if character == "\\":
        escaped = reader.take()
        if escaped in _CLASSES:
            return _CLASSES[escaped]
        if escaped in "mMyYAZbB" or not escaped:
            raise TooHard
        return escaped
    if character in "*+?{":
        raise TooHard
    return character


def _bracket(reader: _Reader) -> str:
    negated = reader.peek() == "^"
    if negated:
        reader.take()
    found = ""
    while (character := reader.take()) != "]" or not found:
        if not character:
            raise TooHard
        found += _member(reader, character)
    if negated:
        found = "".join(c for c in _PLAIN if c not in found)
    if not found:
        raise TooHard
    return found


def _member(reader: _Reader, character: str) -> str:
    if character == "[" and reader.peek() == ":":
        end = reader.pattern.find(":]", reader.at)
        name = reader.pattern[reader.at + 1 : end]
        reader.at = end + 2
        if end < 0 or name not in _NAMED:
            raise TooHard
        return _NAMED[name]
    if character == "\\":
        escaped = reader.take()
        return _CLASSES.get(escaped, escaped)
    if reader.peek() == "-" and reader.pattern[reader.at + 1 : reader.at + 2] not in {"]", ""}:
        reader.take()
        last = reader.take()
        return "".join(map(chr, range(ord(character), min(ord(last), ord(character) + 99) + 1)))
    return character


def _count(reader: _Reader) -> tuple[int, int]:
    low, high = 1, 1
    if (character := reader.peek()) and character in "*+?":
        low, high = {"*": (0, _OPEN), "+": (1, _OPEN), "?": (0, 0)}[reader.take()]
    elif matched := _COUNT.match(reader.pattern, reader.at):
        reader.at = matched.end()
        low = int(matched[1])
        high = low if matched[2] is None else int(matched[2] or low + _OPEN)
    if (low, high) != (1, 1) and reader.peek() == "?":
        reader.take()
    return low, high


def _repeated(allowed: str, times: int, n: str) -> list[str]:
    if not times:
        return []
    if len(allowed) == 1:
        return ["'" + (allowed * times).replace("'", "''") + "'"]
    digits = (allowed * 10)[:10].replace("'", "''")
    places = min(times, 9)
    number = f"lpad(({fold(n, 10**places)})::text, {times}, '0')"
    return [f"translate({number}, '0123456789', '{digits}')"]
