"""A script of SQL as its statements, cut where psql cuts."""

import re
from dataclasses import dataclass

# One token; the order of the alternatives matters (PostgreSQL, chapter 4.1).
_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*)
      | (?P<quoted>(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<dollar>(?<![\w$])\$(?:[^\W\d]\w*)?\$)
      | (?P<unclosed>['"])
      | (?P<word>[^\W\d][\w$]*)
      | (?P<mark>[;()\\])
      | (?P<other>\d[\w$.]*|\s+|.)""",
    re.VERBOSE | re.DOTALL,
)
_BODY = re.compile(r"create(\s+or\s+replace)?\s+(function|procedure)\b", re.IGNORECASE)
_COPY = re.compile(r"copy\b.*\b(from\s+stdin|to\s+stdout)\b", re.IGNORECASE | re.DOTALL)


class ScriptError(ValueError):
    """A script cannot be rehearsed; the message is one line with the way out."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A statement of a script.

    Args:
        sql: without its semicolon and without comments before it.
        line: where it begins, from 1.
    """

    sql: str
    line: int


def split(script: str, name: str = "script") -> tuple[Piece, ...]:
    """Cuts a script at the semicolons that end a statement.

    Those within quotes, comments, parentheses and bodies of SQL functions end none.

    Args:
        script: any number of statements.
        name: of the script, for the messages.

    Returns:
        The statements, in order.

    Raises:
        ScriptError: a quote or comment does not end, or there is a command of psql or a COPY
            with the client.
    """
    splitter = _Splitter(script, name)
    return tuple(_checked(piece, name) for piece in splitter.pieces())


def _checked(piece: Piece, name: str) -> Piece:
    if _COPY.match(piece.sql):
        raise ScriptError(
            f"{name}:{piece.line}: COPY with the client has no place in a change: write INSERT"
        )
    return piece


class _Splitter:
    """Reads a script once, from its beginning to its end."""

    def __init__(self, script: str, name: str) -> None:
        self._script = script
        self._name = name
        self._at = 0
        self._begin: int | None = None  # of the statement
        self._end = 0
        self._parentheses = 0
        self._bodies = 0  # BEGIN ATOMIC and CASE that wait for their END

    def pieces(self) -> list[Piece]:
        found = []
        while self._at < len(self._script):
            if self._ends_statement():
                found.append(self._piece())
        if self._begin is not None:
            found.append(self._piece())
        return found

    def _ends_statement(self) -> bool:
        token = _TOKEN.match(self._script, self._at)
        assert token is not None  # noqa: S101 - the last alternative takes any character
        kind, text, start = token.lastgroup, token.group(), token.start()
        self._at = token.end()
        if kind == "comment":
            self._skip_comment(text, start)
        elif text == ";" and self._parentheses <= 0 and self._bodies == 0:
            return self._begin is not None
        elif text == ";" and self._begin is None:
            pass
        elif kind != "other" or not text.isspace():
            self._take(kind, text, start)
        return False

    def _skip_comment(self, text: str, start: int) -> None:
        if text != "/*":
            return
        depth = 1
        while depth:
            mark = re.compile(r"/\*|\*/").search(self._script, self._at)
            if mark is None:
                raise self._unclosed("comment", start)
            depth += 1 if mark.group() == "/*" else -1
            self._at = mark.end()

    def _take(self, kind: str | None, text: str, start: int) -> None:
        if text == "\\":
            raise ScriptError(
                f"{self._name}:{self._line(start)}: a command of psql cannot be rehearsed: "
                "write its SQL here"
            )
        if kind == "unclosed":
            raise self._unclosed("quote", start)
        self._begin = start if self._begin is None else self._begin
        if kind == "dollar":
            self._skip_dollar(text, start)
        elif kind == "word":
            self._count_bodies(text.lower())
        elif text in "()":
            self._parentheses += 1 if text == "(" else -1
        self._end = self._at

    def _skip_dollar(self, tag: str, start: int) -> None:
        end = self._script.find(tag, self._at)
        if end < 0:
            raise self._unclosed("quote", start)
        self._at = end + len(tag)

    def _count_bodies(self, word: str) -> None:
        if word not in {"begin", "case", "end"} or not _BODY.match(self._script, self._begin or 0):
            return
        if word == "end":
            self._bodies = max(0, self._bodies - 1)
        elif word == "begin" or self._bodies:
            self._bodies += 1

    def _piece(self) -> Piece:
        begin = self._begin or 0
        self._begin, self._parentheses, self._bodies = None, 0, 0
        return Piece(self._script[begin : self._end], self._line(begin))

    def _line(self, position: int) -> int:
        return self._script.count("\n", 0, position) + 1

    def _unclosed(self, what: str, start: int) -> ScriptError:
        return ScriptError(f"{self._name}:{self._line(start)}: a {what} begins and does not end")
