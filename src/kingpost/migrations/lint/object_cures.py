"""The safe way for tables, partitions, types, domains and what else has a name."""

from kingpost.migrations.lint import writing
from kingpost.migrations.lint.column_cures import CONTRACT
from kingpost.migrations.lint.reader import Name, Reader, listed, quote
from kingpost.migrations.lint.writing import text

_ALLOWED = "# kingpost: allow {}: a view takes the place of the table in the same moment"


def rename_table(table: Name, reader: Reader) -> str:
    """For ALTER TABLE … RENAME TO.

    Args:
        table: the table.
        reader: behind RENAME TO.

    Returns:
        The same, and a view with the old name in the same moment.
    """
    new = reader.name().name
    moved = writing.online("rename_table", table, text(new))
    return writing.lines(
        _ALLOWED.format("renaming-table"), moved, *_view(table, Name(new, table.schema))
    )


def set_schema(table: Name, reader: Reader) -> str:
    """For ALTER TABLE … SET SCHEMA.

    Args:
        table: the table.
        reader: behind SET SCHEMA.

    Returns:
        The same, and a view in the old schema in the same moment.
    """
    schema = reader.name().name
    moved = writing.execute(f"ALTER TABLE {table.sql} SET SCHEMA {quote(schema)}")
    return writing.lines(
        _ALLOWED.format("ban-set-schema"), moved, *_view(table, Name(table.name, schema))
    )


def _view(old: Name, new: Name) -> tuple[str, str]:
    note = "the running version goes on through a view, which a contract revision drops"
    view = f"CREATE VIEW {old.sql} AS SELECT * FROM {new.sql}"  # noqa: S608 - for a person to read
    return writing.comment(note), writing.execute(view)


def attach(table: Name, reader: Reader) -> str:
    """For ALTER TABLE … ATTACH PARTITION.

    Args:
        table: the partitioned one.
        reader: behind ATTACH PARTITION.

    Returns:
        A valid CHECK that proves the bounds, before it.
    """
    partition, bounds = reader.name(), reader.rest()
    name, condition = f"{partition.name}_bounds", text(f"the key is not null and in: {bounds}")
    attached = f"ALTER TABLE {table.sql} ATTACH PARTITION {partition.sql} {bounds}"
    return writing.lines(
        writing.comment("a valid CHECK that implies the bounds spares the scan:"),
        writing.constraint("add_check_online", name, partition, condition),
        writing.constraint("validate_constraint_online", name, partition),
        _of_default_partition(table),
        writing.execute(attached),
    )


def _of_default_partition(table: Name) -> str:
    return writing.comment(
        f"if {table.name} has a DEFAULT partition, give that a valid CHECK which excludes the "
        "bounds, in the same way"
    )


def create_partition(partition: Name, reader: Reader) -> str:
    """For CREATE TABLE … PARTITION OF.

    Args:
        partition: the new table.
        reader: behind PARTITION OF.

    Returns:
        Making it by itself, and attaching it.
    """
    table, bounds = reader.name(), reader.rest()
    return writing.lines(
        writing.execute(f"CREATE TABLE {partition.sql} (LIKE {table.sql} INCLUDING ALL)"),
        _of_default_partition(table),
        writing.execute(f"ALTER TABLE {table.sql} ATTACH PARTITION {partition.sql} {bounds}"),
    )


def detach(table: Name, reader: Reader) -> str:
    """For ALTER TABLE … DETACH PARTITION.

    Args:
        table: the partitioned one.
        reader: behind DETACH PARTITION.

    Returns:
        The same CONCURRENTLY, outside of the transaction; empty if it is that.
    """
    partition = reader.name()
    if reader.take("CONCURRENTLY"):
        return ""
    return writing.outside(f"ALTER TABLE {table.sql} DETACH PARTITION {partition.sql} CONCURRENTLY")


def drop(kind: str, reader: Reader) -> str:
    """For DROP of a table, a view, a function, a type and the like.

    Args:
        kind: what, in capitals.
        reader: behind it.

    Returns:
        The same in the contract phase.
    """
    reader.skip("IF EXISTS")
    named = reader.rest()
    note = writing.comment(
        "drop its foreign keys first, in a revision before: they lock both tables"
    )
    if kind != "TABLE":
        return writing.lines(CONTRACT, writing.execute(f"DROP {kind} {named}"))
    tables = [Reader(part).name() for part in listed(named)]
    dropped = (writing.online("drop_table", table) for table in tables)
    return writing.lines(note, CONTRACT, *dropped)


def drop_constraint(table: Name, reader: Reader) -> str:
    """For ALTER TABLE … DROP CONSTRAINT.

    Args:
        table: the table.
        reader: behind DROP CONSTRAINT.

    Returns:
        The same, alone in its transaction.
    """
    reader.skip("IF EXISTS")
    name = reader.name().name
    note = "in a revision of its own: of a foreign key it locks both tables"
    dropped = writing.constraint("drop_constraint", name, table)
    return writing.lines(writing.comment(note), dropped)


def alter_type(reader: Reader) -> str:
    """For ALTER TYPE of an enum.

    Args:
        reader: behind ALTER TYPE.

    Returns:
        Adding the value in a transaction of its own; empty for other types.
    """
    name = reader.name()
    if reader.take("ADD VALUE"):
        reader.skip("IF NOT EXISTS")
        return _add_value(name, reader.rest(), "use it in a later revision, not in this one")
    if reader.take("RENAME VALUE"):
        old, new = reader.one(), reader.take("TO") and reader.one()
        note = f"let the next version write {new}, backfill the rows that have {old}, stop using it"
        return _add_value(name, str(new), note)
    return ""


def _add_value(name: Name, value: str, note: str) -> str:
    added = f"ALTER TYPE {name.sql} ADD VALUE IF NOT EXISTS {value}"
    mark = "repeatable = True  # at the top of the revision: it may be run twice"
    return writing.lines(mark, writing.outside(added), writing.comment(note))


def alter_domain(reader: Reader) -> str:
    """For ALTER DOMAIN … ADD CONSTRAINT.

    Args:
        reader: behind ALTER DOMAIN.

    Returns:
        Adding it NOT VALID, and validating it; empty for anything else.
    """
    domain = reader.name()
    if not reader.take("ADD"):
        return ""
    name = reader.name().name if reader.take("CONSTRAINT") else f"{domain.name}_check"
    condition = reader.group() if reader.take("CHECK") else ""
    added = f"ALTER DOMAIN {domain.sql} ADD CONSTRAINT {quote(name)} CHECK ({condition}) NOT VALID"
    validated = f"ALTER DOMAIN {domain.sql} VALIDATE CONSTRAINT {quote(name)}"
    return writing.outside(added, validated) if condition else ""
