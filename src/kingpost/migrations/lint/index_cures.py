"""The safe way for indexes."""

import re

from kingpost.migrations.lint import writing
from kingpost.migrations.lint.reader import Reader, listed, names
from kingpost.migrations.lint.writing import text


def create_index(reader: Reader) -> str:
    """For CREATE INDEX, with or without CONCURRENTLY.

    Args:
        reader: behind CREATE.

    Returns:
        `op.create_index_online`, which also repairs what a failed build has left.
    """
    unique = reader.take("UNIQUE")
    reader.skip("INDEX", "CONCURRENTLY", "IF NOT EXISTS")
    name = "" if reader.word == "ON" else reader.name().name
    if not reader.take("ON") or reader.take("ONLY"):
        return ""
    table = reader.name()
    method = reader.name().name if reader.take("USING") else ""
    columns = listed(reader.group())
    options = {
        "unique": "True" if unique else "",
        "postgresql_using": text(method) if method and method != "btree" else "",
        **_options(reader),
    }
    listing = "[" + ", ".join(map(_column, columns)) + "]"
    name = name or "_".join([table.name, *map(_bare, columns), "idx"])
    return writing.constraint("create_index_online", name, table, listing, **options)


def _options(reader: Reader) -> dict[str, str]:
    options = {}
    while not reader.done:
        if reader.take("INCLUDE"):
            options["postgresql_include"] = writing.texts(names(reader.group()))
        elif reader.take("NULLS NOT DISTINCT"):
            options["postgresql_nulls_not_distinct"] = "True"
        elif reader.take("WHERE"):
            options["postgresql_where"] = f"sa.text({text(reader.rest())})"
        else:
            reader.one()
    return options


def _column(sql: str) -> str:
    reader = Reader(sql)
    name = reader.name().name
    return text(name) if name and reader.done else f"sa.text({text(sql)})"


def _bare(sql: str) -> str:
    return Reader(sql).name().name or re.sub(r"\W+", "_", sql).strip("_")


def drop_index(reader: Reader) -> str:
    """For DROP INDEX, with or without CONCURRENTLY.

    Args:
        reader: behind DROP INDEX.

    Returns:
        `op.drop_index_online`, one for each index.
    """
    reader.skip("CONCURRENTLY", "IF EXISTS")
    return writing.lines(*(_drop(part) for part in listed(reader.until("CASCADE", "RESTRICT"))))


def _drop(part: str) -> str:
    index = Reader(part).name()
    name, table = text(index.name), text(f"the table of {index.name}")
    return writing.call("op.drop_index_online", name, table, schema=index.schema)


def reindex(reader: Reader) -> str:
    """For REINDEX.

    Args:
        reader: behind REINDEX.

    Returns:
        The same CONCURRENTLY, outside of the transaction.
    """
    options = f"({reader.group()}) " if reader.word == "(" else ""
    kind = reader.one().upper()
    reader.skip("CONCURRENTLY")
    return writing.outside(f"REINDEX {options}{kind} CONCURRENTLY {reader.rest()}")
