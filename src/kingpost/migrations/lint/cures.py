"""The safe way of doing what a statement does, as Alembic code."""

from collections.abc import Callable

from kingpost.migrations.lint import (
    column_cures,
    constraint_cures,
    data_cures,
    index_cures,
    object_cures,
    writing,
)
from kingpost.migrations.lint.column_definitions import reference
from kingpost.migrations.lint.reader import Name, Reader, listed

_DROPPED = (
    "TABLE",
    "VIEW",
    "MATERIALIZED VIEW",
    "FUNCTION",
    "PROCEDURE",
    "TYPE",
    "SCHEMA",
    "SEQUENCE",
    "DOMAIN",
    "EXTENSION",
)
_CONSTRAINTS = {"CONSTRAINT", "FOREIGN", "CHECK", "UNIQUE", "PRIMARY", "NOT", "EXCLUDE"}


def cure(sql: str) -> str:
    """Says how to do safely what a statement does, with its own names.

    It knows a statement by its form and not by what is in the database, so it also has a way for
    one that was harmless. The code uses the operations of `kingpost.migrations.operations`, and
    `sa`, `postgresql` and `op` as Alembic's revisions import them.

    Args:
        sql: one statement.

    Returns:
        Code to paste into a revision; empty if there is nothing better to do.
    """
    reader = Reader(sql)
    if reader.take("CREATE"):
        return _create(reader)
    if reader.take("DROP"):
        return _drop(reader)
    if reader.take("ALTER"):
        return _alter(reader)
    return _other(reader)


def _create(reader: Reader) -> str:
    if reader.word in {"INDEX", "UNIQUE"}:
        return index_cures.create_index(reader)
    reader.skip("UNLOGGED")
    if not reader.take("TABLE"):
        return ""
    reader.skip("IF NOT EXISTS")
    table = reader.name()
    if reader.take("PARTITION OF"):
        return object_cures.create_partition(table, reader)
    return _without_foreign_keys(table, listed(reader.group()))


def _without_foreign_keys(table: Name, parts: list[str]) -> str:
    """A new table locks each one that it points to, so foreign keys are added one by one."""
    keys = [key for part in parts if (key := _foreign_key(table, Reader(part)))]
    note = writing.comment(
        f"create {table.name} without its foreign keys, then add each by itself:"
    )
    return writing.lines(note, *keys) if keys else ""


def _foreign_key(table: Name, reader: Reader) -> str:
    if reader.word in {"CONSTRAINT", "FOREIGN"}:
        return constraint_cures.add_constraint(table, reader) if _points(reader) else ""
    column = reader.name().name
    reader.until("REFERENCES")
    if not reader.take("REFERENCES"):
        return ""
    name = f"{table.name}_{column}_fkey"
    return constraint_cures.foreign_key(table, name, [column], reference(reader))


def _points(reader: Reader) -> bool:
    ahead = Reader(reader.sql)
    ahead.until("FOREIGN")
    return ahead.take("FOREIGN KEY")


def _drop(reader: Reader) -> str:
    if reader.take("INDEX"):
        return index_cures.drop_index(reader)
    for kind in _DROPPED:
        if reader.take(kind):
            return object_cures.drop(kind, reader)
    return ""


def _alter(reader: Reader) -> str:
    if reader.take("TYPE"):
        return object_cures.alter_type(reader)
    if reader.take("DOMAIN"):
        return object_cures.alter_domain(reader)
    reader.skip("FOREIGN")
    if not reader.take("TABLE"):
        return ""
    reader.skip("IF EXISTS", "ONLY")
    table = reader.name()
    reader.skip("*")
    code = writing.lines(*(_action(table, Reader(part)) for part in listed(reader.rest())))
    return _with_each_comment_once(code)


def _with_each_comment_once(code: str) -> str:
    said: set[str] = set()
    kept = []
    for line in code.splitlines():
        if not (line.startswith("#") and line in said):
            kept.append(line)
        said.add(line)
    return "\n".join(kept)


def _action(table: Name, reader: Reader) -> str:
    """One of the changes that an ALTER TABLE makes."""
    for words, way in _ACTIONS:
        if reader.take(words):
            return way(table, reader)
    return ""


def _add(table: Name, reader: Reader) -> str:
    if reader.word in _CONSTRAINTS:
        return constraint_cures.add_constraint(table, reader)
    return column_cures.add_column(table, reader)


def _validate(table: Name, reader: Reader) -> str:
    return constraint_cures.validate(table, reader.name().name)


def _rename(table: Name, reader: Reader) -> str:
    if reader.take("TO"):
        return object_cures.rename_table(table, reader)
    if reader.word == "CONSTRAINT":
        return ""
    reader.skip("COLUMN")
    return column_cures.rename_column(table, reader)


def _rewrite(table: Name, _: Reader) -> str:
    return data_cures.rewrite(table)


_ACTIONS: tuple[tuple[str, Callable[[Name, Reader], str]], ...] = (
    ("ADD", _add),
    ("ALTER", column_cures.alter_column),
    ("VALIDATE CONSTRAINT", _validate),
    ("DROP CONSTRAINT", object_cures.drop_constraint),
    ("DROP", column_cures.drop_column),
    ("RENAME", _rename),
    ("SET SCHEMA", object_cures.set_schema),
    ("ATTACH PARTITION", object_cures.attach),
    ("DETACH PARTITION", object_cures.detach),
    ("SET LOGGED", _rewrite),
    ("SET UNLOGGED", _rewrite),
    ("SET TABLESPACE", _rewrite),
    ("SET ACCESS METHOD", _rewrite),
)


def _other(reader: Reader) -> str:
    for words, way in _OTHERS:
        if reader.take(words):
            return way(reader)
    return ""


def _cluster(reader: Reader) -> str:
    reader.skip("VERBOSE")
    return data_cures.rewrite(reader.name())


def _vacuum(reader: Reader) -> str:
    full = "FULL" in reader.group().upper() or reader.word == "FULL"
    reader.skip("FULL", "FREEZE", "VERBOSE", "ANALYZE")
    return data_cures.rewrite(reader.name()) if full else ""


_OTHERS: tuple[tuple[str, Callable[[Reader], str]], ...] = (
    ("UPDATE", data_cures.update),
    ("DELETE FROM", data_cures.delete),
    ("TRUNCATE", data_cures.truncate),
    ("REINDEX", index_cures.reindex),
    ("REFRESH MATERIALIZED VIEW", data_cures.refresh),
    ("CLUSTER", _cluster),
    ("VACUUM", _vacuum),
    ("DO", data_cures.block),
)
