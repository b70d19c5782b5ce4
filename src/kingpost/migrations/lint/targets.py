"""Which table a statement is about."""

from collections.abc import Iterable

from kingpost.migrations.lint.reader import Name, Reader

_BEFORE = ("IF EXISTS", "IF NOT EXISTS", "ONLY", "CONCURRENTLY")


def created(sql: str) -> Name:
    """The table that a statement makes.

    Args:
        sql: one statement.

    Returns:
        Its name; an empty one if it makes none for certain.
    """
    reader = Reader(sql)
    if not reader.take("CREATE"):
        return Name()
    reader.skip("UNLOGGED", "TEMPORARY", "TEMP", "LOCAL", "GLOBAL")
    made = reader.take("TABLE") or reader.take("MATERIALIZED VIEW")
    return reader.name() if made and not reader.take("IF NOT EXISTS") else Name()


def target(sql: str) -> Name:
    """The table that a statement changes.

    Args:
        sql: one statement.

    Returns:
        Its name; an empty one if there is none, or more than one.
    """
    reader = Reader(sql)
    if reader.take("CREATE"):
        reader.skip("UNIQUE")
        return _of_index(reader) if reader.take("INDEX") else Name()
    for words in ("ALTER TABLE", "DROP TABLE", "TRUNCATE TABLE", "TRUNCATE", "UPDATE"):
        if reader.take(words):
            return _single(reader)
    for words in ("DELETE FROM", "REFRESH MATERIALIZED VIEW", "REINDEX TABLE", "CLUSTER"):
        if reader.take(words):
            return _single(reader)
    return Name()


def _of_index(reader: Reader) -> Name:
    reader.until("ON")
    return _single(reader) if reader.take("ON") else Name()


def _single(reader: Reader) -> Name:
    reader.skip(*_BEFORE)
    name = reader.name()
    return Name() if reader.word == "," else name


def on_new_tables(statements: Iterable[str]) -> list[bool]:
    """Tells which statements change a table that one before has made.

    Nobody else knows such a table, so nobody waits for it.

    Args:
        statements: of one revision, in order.

    Returns:
        One answer for each.
    """
    new: set[Name] = set()
    answers = []
    for sql in statements:
        found = target(sql)
        answers.append(bool(found.name) and found in new)
        if (made := created(sql)).name:
            new.add(made)
    return answers
