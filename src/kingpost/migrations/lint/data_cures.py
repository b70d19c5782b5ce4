"""The safe way for what writes or moves rows."""

from kingpost.migrations.lint import writing
from kingpost.migrations.lint.reader import Name, Reader, listed
from kingpost.migrations.lint.writing import text


def update(reader: Reader) -> str:
    """For UPDATE.

    Args:
        reader: behind UPDATE.

    Returns:
        `op.backfill`; a hint if it reads other tables.
    """
    reader.skip("ONLY")
    table = reader.name()
    reader.until("SET")
    if not reader.take("SET"):
        return ""
    assigned = reader.until("FROM", "WHERE", "RETURNING")
    joined = reader.take("FROM")
    if joined:
        reader.until("WHERE", "RETURNING")
    where = reader.until("RETURNING") if reader.take("WHERE") else ""
    values = _values(assigned)
    if joined or not values:
        note = "in batches; what it takes from other tables as a subquery with = (SELECT …)"
        return writing.lines(
            writing.comment(note), writing.online("backfill", table, '{"column": "(SELECT …)"}')
        )
    options = {"where": text(where) if where else ""}
    return writing.online("backfill", table, values, **options)


def _values(assigned: str) -> str:
    values = {}
    for part in listed(assigned):
        reader = Reader(part)
        name = reader.name().name
        if not name or not reader.take("="):
            return ""
        values[name] = reader.rest()
    return "{" + ", ".join(f"{text(name)}: {text(sql)}" for name, sql in values.items()) + "}"


def delete(reader: Reader) -> str:
    """For DELETE.

    Args:
        reader: behind DELETE FROM.

    Returns:
        The same in batches, each in a transaction of its own; a hint if it reads other tables.
    """
    reader.skip("ONLY")
    table = reader.name()
    if reader.until("WHERE", "USING", "RETURNING") or reader.word == "USING":
        return writing.comment("delete in batches, outside of the transaction")
    where = reader.until("RETURNING") if reader.take("WHERE") else ""
    return _in_batches(table, where)


def _in_batches(table: Name, where: str) -> str:
    condition = f" WHERE {where}" if where else ""
    chosen = f"SELECT ctid FROM {table.sql}{condition}"  # noqa: S608 - for a person to read
    batch = f"WHERE ctid = ANY(ARRAY({chosen} LIMIT 1000))"
    sql = f"DELETE FROM {table.sql} {batch}"  # noqa: S608 - for a person to read
    return writing.lines(
        "with op.get_context().autocommit_block():",
        f"    batch = sa.text({text(sql)})",
        "    while op.get_bind().execute(batch).rowcount:",
        "        pass",
    )


def truncate(reader: Reader) -> str:
    """For TRUNCATE.

    Args:
        reader: behind TRUNCATE.

    Returns:
        Deleting in batches, which locks nobody out.
    """
    reader.skip("TABLE", "ONLY")
    tables = listed(reader.until("CASCADE", "RESTRICT", "RESTART", "CONTINUE"))
    return writing.lines(*(_in_batches(Reader(part).name(), "") for part in tables))


def refresh(reader: Reader) -> str:
    """For REFRESH MATERIALIZED VIEW.

    Args:
        reader: behind it.

    Returns:
        The same CONCURRENTLY, which needs a unique index.
    """
    if reader.take("CONCURRENTLY"):
        return ""
    view = reader.name()
    return writing.lines(
        writing.comment(f"needs a unique index on {view.name}, without WHERE and expressions"),
        writing.execute(f"REFRESH MATERIALIZED VIEW CONCURRENTLY {view.sql}"),
    )


def rewrite(table: Name) -> str:
    """For VACUUM FULL, CLUSTER, SET LOGGED and the like.

    Args:
        table: the table; without a name for all tables.

    Returns:
        What does the same online, outside of the migrations.
    """
    program = f"pg_repack --table {table.sql}" if table.name else "pg_repack"
    return writing.comment(f"no revision should do that; online it is: {program}")


def block(reader: Reader) -> str:
    """For DO.

    Args:
        reader: behind DO.

    Returns:
        A hint: nobody can see into it without running it.
    """
    if reader.done:
        return ""
    return writing.comment(
        "write each statement of the block as an operation of its own: then it can be told apart"
    )
