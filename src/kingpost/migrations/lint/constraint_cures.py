"""The safe way for constraints."""

from collections.abc import Callable

from kingpost.migrations.lint import writing
from kingpost.migrations.lint.column_definitions import Reference, reference
from kingpost.migrations.lint.reader import Name, Reader, names
from kingpost.migrations.lint.writing import text, texts


def add_constraint(table: Name, reader: Reader) -> str:
    """For ALTER TABLE … ADD CONSTRAINT.

    Args:
        table: the table.
        reader: behind ADD.

    Returns:
        Adding and validating it in steps; empty if it is no constraint.
    """
    name = reader.name().name if reader.take("CONSTRAINT") else ""
    for words, way in _KINDS:
        if reader.take(words):
            return way(table, name, reader)
    return ""


def _foreign_key(table: Name, name: str, reader: Reader) -> str:
    columns = names(reader.group())
    if not reader.take("REFERENCES"):
        return ""
    found = reference(reader)
    return foreign_key(table, name or "_".join([table.name, *columns, "fkey"]), columns, found)


def foreign_key(table: Name, name: str, columns: list[str], found: Reference) -> str:
    """A foreign key in two steps.

    Args:
        table: the one that points.
        name: of the constraint.
        columns: of the table.
        found: where it points to.

    Returns:
        Adding it NOT VALID, and validating it; empty if nothing enforces it.
    """
    if not found.enforced:
        return ""
    added = writing.call(
        "op.add_foreign_key_online",
        *(text(name), text(table.name), text(found.table.name)),
        *(texts(columns), texts(found.columns or ["id"])),
        source_schema=text(table.schema) if table.schema else "",
        referent_schema=text(found.table.schema) if found.table.schema else "",
        **found.options,
    )
    return writing.lines(added, validate(table, name))


def validate(table: Name, name: str) -> str:
    """For VALIDATE CONSTRAINT, which is safe in a transaction of its own.

    Args:
        table: the table.
        name: of the constraint.

    Returns:
        `op.validate_constraint_online`.
    """
    return writing.constraint("validate_constraint_online", name, table)


def check(table: Name, name: str, condition: str) -> str:
    """A CHECK in two steps.

    Args:
        table: the table.
        name: of the constraint.
        condition: in SQL.

    Returns:
        Adding it NOT VALID, and validating it.
    """
    added = writing.constraint("add_check_online", name, table, text(condition))
    return writing.lines(added, validate(table, name))


def _check(table: Name, name: str, reader: Reader) -> str:
    return check(table, name or f"{table.name}_check", reader.group())


def _not_null(table: Name, _: str, reader: Reader) -> str:
    return not_null(table, reader.name().name)


def not_null(table: Name, column: str) -> str:
    """Forbids NULL, once nobody writes it any more.

    Args:
        table: the table.
        column: its name.

    Returns:
        The deploy that has to come first, and `op.set_not_null_online`.
    """
    first = "first deploy the version that writes it in every row, and fill the old rows; then:"
    forbidden = writing.online("set_not_null_online", table, text(column))
    return writing.lines(writing.comment(first), forbidden)


def _unique(table: Name, name: str, reader: Reader) -> str:
    nulls = "True" if reader.take("NULLS NOT DISTINCT") else ""
    reader.skip("NULLS DISTINCT")
    columns = names(reader.group())
    if not columns:  # USING INDEX
        return ""
    return unique(table, name, columns, postgresql_nulls_not_distinct=nulls)


def unique(table: Name, name: str, columns: list[str], **options: str) -> str:
    """A unique constraint by way of an index.

    Args:
        table: the table.
        name: of the constraint; empty for the name that PostgreSQL gives.
        columns: of the table.
        **options: as code.

    Returns:
        `op.add_unique_online`.
    """
    name = name or "_".join([table.name, *columns, "key"])
    return writing.constraint("add_unique_online", name, table, texts(columns), **options)


def _primary_key(table: Name, name: str, reader: Reader) -> str:
    name = name or f"{table.name}_pkey"
    columns = names(reader.group())
    if columns:
        return primary_key(table, name, columns)
    index = reader.name().name if reader.take("USING INDEX") else ""
    proof = writing.online("set_not_null_online", table, text(f"each column of {index}"))
    added = f"ALTER TABLE {table.sql} ADD CONSTRAINT {name} PRIMARY KEY USING INDEX {index}"
    return writing.lines(proof, writing.execute(added)) if index else ""


def primary_key(table: Name, name: str, columns: list[str]) -> str:
    """A primary key by way of an index.

    Args:
        table: the table.
        name: of the constraint.
        columns: of the table.

    Returns:
        `op.add_unique_online`, which makes the columns NOT NULL as well.
    """
    listing = texts(columns)
    return writing.constraint("add_unique_online", name, table, listing, primary_key="True")


def _exclude(table: Name, _: str, __: Reader) -> str:
    return writing.comment(
        f"no EXCLUDE can be added online: make a new table with it, fill it with a trigger on "
        f"{table.sql} and in batches, and let the next version use that"
    )


_KINDS: tuple[tuple[str, Callable[[Name, str, Reader], str]], ...] = (
    ("FOREIGN KEY", _foreign_key),
    ("CHECK", _check),
    ("UNIQUE", _unique),
    ("PRIMARY KEY", _primary_key),
    ("NOT NULL", _not_null),
    ("EXCLUDE", _exclude),
)
