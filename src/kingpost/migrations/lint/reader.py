"""Reads one SQL statement from its beginning to its end; what is missing reads as nothing."""

import re
from dataclasses import dataclass

# One token; the order of the alternatives matters (PostgreSQL, chapter 4.1).
_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
      | (?P<string>(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'
          |(?<![\w$])\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
      | (?P<name>"(?:[^"]|"")*"|[^\W\d][\w$]*)
      | (?P<number>\d[\w.]*)
      | (?P<mark>::|.)""",
    re.VERBOSE | re.DOTALL,
)
_DEPTHS = {"(": 1, "[": 1, ")": -1, "]": -1}


@dataclass(frozen=True, slots=True)
class Name:
    """A name that may have a schema before it.

    Args:
        name: without quotes.
        schema: without quotes; empty if there is none.
    """

    name: str = ""
    schema: str = ""

    @property
    def sql(self) -> str:
        """As it stands in SQL, quoted where needed."""
        return ".".join(quote(part) for part in (self.schema, self.name) if part)


def quote(name: str) -> str:
    """Puts a name in quotes if it needs them.

    Args:
        name: as it is in the catalog.

    Returns:
        What stands for it in SQL.
    """
    plain = re.fullmatch(r"[a-z_][a-z0-9_$]*", name)
    return name if plain else '"' + name.replace('"', '""') + '"'


class Reader:
    """A position in a statement.

    Args:
        sql: the statement.
    """

    def __init__(self, sql: str) -> None:
        self.sql = sql.rstrip().rstrip(";").rstrip()
        found = _TOKEN.finditer(self.sql)
        self._tokens = [token for token in found if token.lastgroup != "space"]
        self._at = 0

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._tokens)

    @property
    def word(self) -> str:
        """The next token in capitals; empty at the end."""
        return "" if self.done else self._tokens[self._at].group().upper()

    def take(self, words: str) -> bool:
        """Goes behind some words if they come next.

        Args:
            words: keywords or marks in capitals, with spaces between.

        Returns:
            False, and nothing is taken, if others come.
        """
        wanted = words.split()
        ahead = self._tokens[self._at : self._at + len(wanted)]
        if [token.group().upper() for token in ahead] != wanted:
            return False
        self._at += len(wanted)
        return True

    def skip(self, *choices: str) -> None:
        """Goes behind any of some words, as often as they come.

        Args:
            *choices: as for `take`.
        """
        while any(self.take(words) for words in choices):
            pass

    def name(self) -> Name:
        """Reads a name.

        Returns:
            An empty one if none comes.
        """
        parts = [self._part()]
        while parts[-1] and self.take("."):
            parts.append(self._part())
        return Name(parts[-1], parts[-2] if len(parts) > 1 else "")

    def _part(self) -> str:
        if self.done or self._tokens[self._at].lastgroup != "name":
            return ""
        text = self._tokens[self._at].group()
        self._at += 1
        return text[1:-1].replace('""', '"') if text.startswith('"') else text.lower()

    def group(self) -> str:
        """Reads what is in parentheses.

        Returns:
            The text between them; empty, and nothing is taken, if none comes.
        """
        if self.word != "(":
            return ""
        begin = self._tokens[self._at].end()
        self._at += 1
        self.until(")")
        end = len(self.sql) if self.done else self._tokens[self._at].start()
        self._at += 1
        return self.sql[begin:end].strip()

    def until(self, *words: str) -> str:
        """Reads until one of some words comes that is not in parentheses.

        Args:
            *words: keywords or marks in capitals.

        Returns:
            The text before it, or all that is left.
        """
        begin, depth = self._at, 0
        while not self.done and not (depth <= 0 and self.word in words):
            depth += _DEPTHS.get(self.word, 0)
            self._at += 1
        if self._at == begin:
            return ""
        return self.sql[self._tokens[begin].start() : self._tokens[self._at - 1].end()]

    def one(self) -> str:
        """Reads one token.

        Returns:
            Its text; empty at the end.
        """
        if self.done:
            return ""
        self._at += 1
        return self._tokens[self._at - 1].group()

    def rest(self) -> str:
        """Reads all that is left.

        Returns:
            Its text.
        """
        return self.until()


def flat(sql: str) -> str:
    """Takes comments and line breaks out of a statement.

    Args:
        sql: one statement.

    Returns:
        The same on one line, unless there are line breaks in its strings.
    """
    tokens = _TOKEN.finditer(sql)
    parts = [" " if token.lastgroup == "space" else token.group() for token in tokens]
    return "".join(parts).strip()


def listed(text: str) -> list[str]:
    """Cuts a list at the commas that are not in parentheses.

    Args:
        text: such as `a, lower(b)`.

    Returns:
        Its parts; none if it is empty.
    """
    reader, parts = Reader(text), []
    while not reader.done:
        parts.append(reader.until(","))
        reader.take(",")
    return parts


def names(text: str) -> list[str]:
    """The names of a list.

    Args:
        text: such as `a, "B"`.

    Returns:
        The names without quotes.
    """
    return [Reader(part).name().name for part in listed(text)]
