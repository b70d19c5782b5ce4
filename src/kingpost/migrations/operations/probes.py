"""Asks PostgreSQL what it would do, with an empty temporary copy of a table."""

from collections.abc import Iterator
from contextlib import contextmanager

from kingpost.migrations.operations.online import Online

PROBE = "pg_temp.kingpost_probe"


@contextmanager
def empty_copy(database: Online, table: str, including: str = "") -> Iterator[str]:
    """Makes an empty temporary table with the columns of another one.

    It takes no lock on the table but ACCESS SHARE, and ends with the session at the latest.

    Args:
        database: the connection.
        table: as it stands in SQL.
        including: what else to copy, such as `INCLUDING INDEXES`.

    Yields:
        The name of the copy.
    """
    database.probe(f"DROP TABLE IF EXISTS {PROBE}")
    database.probe(f"CREATE TEMPORARY TABLE kingpost_probe (LIKE {table} {including})")
    yield PROBE
    database.probe(f"DROP TABLE {PROBE}")


def index_definition(database: Online, table: str, *, is_unique: bool, tail: str) -> str:
    """How PostgreSQL writes the definition of an index.

    Args:
        database: the connection.
        table: as it stands in SQL.
        is_unique: whether the index is.
        tail: what follows the table in CREATE INDEX.

    Returns:
        The definition from USING on.
    """
    with empty_copy(database, table) as copy:
        word = "UNIQUE INDEX" if is_unique else "INDEX"
        database.probe(f"CREATE {word} kingpost_probe_index ON {copy} {tail}")
        query = (
            "SELECT substring(pg_get_indexdef(indexrelid) FROM ' (USING .*)$') FROM pg_index"
            " WHERE indrelid = to_regclass(:copy)"
        )
        return str(database.rows(query, copy=copy)[0][0])


def check_definition(database: Online, table: str, condition: str) -> str:
    """How PostgreSQL writes a CHECK.

    Args:
        database: the connection.
        table: as it stands in SQL.
        condition: of the CHECK.

    Returns:
        The definition, from CHECK on.
    """
    with empty_copy(database, table) as copy:
        database.probe(f"ALTER TABLE {copy} ADD CONSTRAINT kingpost_probe CHECK ({condition})")
        query = (
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = to_regclass(:copy) AND conname = 'kingpost_probe'"
        )
        return str(database.rows(query, copy=copy)[0][0])


def rewrites(
    database: Online, table: str, action: str, *, including: str = "", first: str = ""
) -> bool:
    """Whether ALTER TABLE would write the table or an index of it anew.

    PostgreSQL decides that from the catalog alone, so an empty copy shows it.

    Args:
        database: the connection.
        table: as it stands in SQL.
        action: what follows the table in ALTER TABLE.
        including: what else to copy, such as `INCLUDING INDEXES`.
        first: another action, taken before.

    Returns:
        True if files would be replaced.
    """
    with empty_copy(database, table, including) as copy:
        if first:
            database.probe(f"ALTER TABLE {copy} {first}")
        before = _files(database, copy)
        database.probe(f"ALTER TABLE {copy} {action}")
        return not before <= _files(database, copy)


def try_type(database: Online, table: str, column: str, type_: str) -> None:
    """Lets PostgreSQL look whether indexes and CHECKs of a column suit another type.

    Args:
        database: the connection.
        table: as it stands in SQL.
        column: as it stands in SQL.
        type_: the type, in SQL.

    Raises:
        DBAPIError: they do not, or there is no such type.
    """
    with empty_copy(database, table, "INCLUDING INDEXES INCLUDING CONSTRAINTS") as copy:
        changed = f"ALTER COLUMN {column} TYPE {type_} USING CAST(NULL AS {type_})"
        database.probe(f"ALTER TABLE {copy} {changed}")


def _files(database: Online, table: str) -> set[tuple[int, int]]:
    query = (
        "SELECT oid::bigint, pg_relation_filenode(oid)::bigint AS file FROM pg_class WHERE oid ="
        " to_regclass(:table) OR oid IN"
        " (SELECT indexrelid FROM pg_index WHERE indrelid = to_regclass(:table))"
    )
    return {(row.oid, row.file) for row in database.rows(query, table=table)}
