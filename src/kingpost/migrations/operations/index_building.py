"""Builds and drops indexes without keeping anybody waiting; each step can be repeated."""

from contextlib import suppress
from dataclasses import dataclass, replace

from sqlalchemy.exc import DBAPIError

from kingpost.database import drivers
from kingpost.migrations.operations import catalog, probes
from kingpost.migrations.operations.errors import OperationError
from kingpost.migrations.operations.online import Online

_UNIQUE_VIOLATION = "23505"
_BUILDERS = """
    SELECT pid FROM pg_stat_progress_create_index
    WHERE index_relid = CAST(:oid AS oid) AND pid <> pg_backend_pid()
"""
_ATTACHED = """
    SELECT 1 FROM pg_inherits h JOIN pg_index i ON i.indexrelid = h.inhrelid
    WHERE h.inhparent = CAST(:parent AS oid) AND i.indrelid = CAST(:partition AS oid)
"""
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Wanted:
    """An index as it shall be: `table` as in SQL, `tail` what follows it in CREATE INDEX."""

    name: str
    table: str
    schema: str | None
    tail: str
    is_unique: bool = False

    def create(self, database: Online, how: str = "CONCURRENTLY", where: str = "") -> str:
        """The statement that builds it.

        Args:
            database: the connection, which knows how to quote.
            how: CONCURRENTLY or nothing.
            where: ONLY for the parent of partitions.

        Returns:
            The SQL.
        """
        words = ["CREATE", "UNIQUE" if self.is_unique else "", "INDEX", how]
        words += [database.name(self.name), "ON", where, self.table, self.tail]
        return " ".join(word for word in words if word)


def build(database: Online, wanted: Wanted) -> None:
    """Makes sure that a valid index exists.

    Args:
        database: the connection, outside of a transaction.
        wanted: the index.

    Raises:
        OperationError: there is another index of that name, or rows that are not unique.
    """
    if catalog.is_partitioned(database, wanted.table):
        _build_partitioned(database, wanted)
        return
    found = _when_nobody_builds(database, wanted)
    if found is not None and not found.valid:  # left by a build that failed or was killed
        _drop_concurrently(database, wanted)
        found = None
    if found is None:
        _create(database, wanted)
    else:
        _compare(database, wanted, found)


def _when_nobody_builds(database: Online, wanted: Wanted) -> catalog.Index | None:
    """The server goes on building for a client that was killed; then the index becomes valid."""
    while True:
        found = catalog.index(database, wanted.name, wanted.table)
        if found is None or found.valid or not database.rows(_BUILDERS, oid=found.oid):
            return found
        database.sleep(_POLL_SECONDS)


def _create(database: Online, wanted: Wanted) -> None:
    try:
        with database.patient():
            database.run(wanted.create(database))
    except DBAPIError as error:
        with suppress(DBAPIError):  # the next run drops it
            _drop_if_invalid(database, wanted)
        if drivers.sqlstate(error) == _UNIQUE_VIOLATION:
            raise OperationError(_not_unique(wanted, error)) from error
        raise
    found = catalog.index(database, wanted.name, wanted.table)
    if not database.offline and (found is None or not found.valid):
        raise OperationError(f"{wanted.name} is INVALID after it was built: run the revision again")


def _not_unique(wanted: Wanted, error: DBAPIError) -> str:
    found = drivers.detail(error) or "some values are there twice"
    return (
        f"{wanted.name} cannot be built on {wanted.table}: {found.rstrip('.')}; "
        "remove the duplicates and run the revision again"
    )


def _drop_if_invalid(database: Online, wanted: Wanted) -> None:
    found = catalog.index(database, wanted.name, wanted.table)
    if found is not None and not found.valid:
        _drop_concurrently(database, wanted)


def _drop_concurrently(database: Online, wanted: Wanted) -> None:
    with database.patient():
        name = database.name(wanted.name, wanted.schema)
        database.run(f"DROP INDEX CONCURRENTLY {name}")


def _compare(database: Online, wanted: Wanted, found: catalog.Index) -> None:
    tail = probes.index_definition(
        database, wanted.table, is_unique=wanted.is_unique, tail=wanted.tail
    )
    if (found.is_unique, found.tail) != (wanted.is_unique, tail):
        raise OperationError(
            f"{wanted.name} exists as {'UNIQUE ' if found.is_unique else ''}{found.tail}, not as "
            f"{'UNIQUE ' if wanted.is_unique else ''}{tail}: drop it, or choose another name"
        )


def _build_partitioned(database: Online, wanted: Wanted) -> None:
    """The parent's index first, which covers partitions to come, then one for each partition."""
    parent = catalog.index(database, wanted.name, wanted.table)
    if parent is None:
        database.run(wanted.create(database, how="", where="ONLY"))
        parent = catalog.index(database, wanted.name, wanted.table)
    else:
        _compare(database, wanted, parent)
    for partition in catalog.partitions(database, wanted.table):
        ids = {"parent": parent.oid if parent else 0, "partition": partition.oid}
        if not database.rows(_ATTACHED, **ids):
            _attach(database, wanted, partition.name, partition.schema)


def _attach(database: Online, wanted: Wanted, partition: str, schema: str) -> None:
    name = catalog.shortened(f"{wanted.name}_{partition}")
    table = database.name(partition, schema)
    child = replace(wanted, name=name, table=table, schema=schema)
    build(database, child)
    parent = database.name(wanted.name, wanted.schema)
    database.run(f"ALTER INDEX {parent} ATTACH PARTITION {database.name(name, schema)}")


def drop(database: Online, name: str, table: str, schema: str | None) -> None:
    """Makes sure that an index does not exist.

    That of a partitioned table cannot be dropped concurrently: it goes under a brief ACCESS
    EXCLUSIVE lock on the table and its partitions.

    Args:
        database: the connection, outside of a transaction.
        name: of the index, as it is.
        table: its table, as it stands in SQL.
        schema: of both, if it is not found without.

    Raises:
        OperationError: it belongs to a constraint, or is not an index of that table.
    """
    found = catalog.index(database, name, table)
    if found is None and not database.offline:
        return
    if found is not None and found.con is not None:
        raise OperationError(f"{name} belongs to a constraint: use op.drop_constraint")
    if found is not None and found.kind == "I":
        database.run(f"DROP INDEX {database.name(name, schema)}")
    else:
        _drop_concurrently(database, Wanted(name, table, schema, ""))
