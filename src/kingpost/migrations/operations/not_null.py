"""`op.set_not_null_online`."""

from typing import Any

from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import AlterColumnOp

from kingpost.migrations.operations import catalog
from kingpost.migrations.operations.constraints import add_check, validate
from kingpost.migrations.operations.online import Online, online

_NOT_NULL = """
    SELECT c.conname::text AS name, c.convalidated AS valid FROM pg_constraint c
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND c.conkey = ARRAY[a.attnum]
    WHERE c.contype = 'n' AND c.conrelid = to_regclass(:table) AND a.attname = :column
"""


@Operations.register_operation("set_not_null_online")
class SetNotNullOnlineOp(MigrateOperation):
    """Forbids NULL while everybody reads and writes."""

    def __init__(
        self, table: str, column: str, *, schema: str | None = None, plain: Any = None
    ) -> None:
        self.table = table
        self.column = column
        self.schema = schema
        self.plain = plain or AlterColumnOp(table, column, schema=schema, modify_nullable=False)

    @classmethod
    def set_not_null_online(
        cls, operations: Operations, table: str, column: str, *, schema: str | None = None
    ) -> None:
        """Makes a column NOT NULL; the rows are looked through under a lock that blocks nobody.

        PostgreSQL 18 has NOT NULL constraints that are NOT VALID until validated. Before that, a
        CHECK proves it and is dropped afterwards. What results is what SET NOT NULL makes.
        The running version must not write NULL any more.

        Args:
            operations: supplied by Alembic.
            table: the table.
            column: the column.
            schema: of the table, if it is not found without.

        Raises:
            OperationError: there is no such column.
        """
        operations.invoke(cls(table, column, schema=schema))

    def reverse(self) -> AlterColumnOp:
        """The operation that undoes it."""
        undone = AlterColumnOp(self.table, self.column, schema=self.schema, modify_nullable=True)
        undone.existing_type = self.plain.existing_type
        return undone

    def to_diff_tuple(self) -> Any:
        """What `alembic check` says."""
        return self.plain.to_diff_tuple()


@Operations.implementation_for(SetNotNullOnlineOp)
def _set_not_null(operations: Operations, operation: SetNotNullOnlineOp) -> None:
    with online(operations) as database:
        table = database.name(operation.table, operation.schema)
        set_not_null(database, table, operation.column)


def set_not_null(database: Online, table: str, column: str) -> None:
    """Makes sure that a column is NOT NULL; each of its steps is repeated only if it is missing.

    Args:
        database: the connection, outside of a transaction.
        table: as it stands in SQL.
        column: its name, as it is.

    Raises:
        OperationError: there is no such column.
    """
    catalog.existing_column(database, column, table)
    if catalog.is_partitioned(database, table):
        _of_partitions(database, table, column)
    elif database.version >= 18:
        _by_constraint(database, table, column)
    else:
        _by_check(database, table, column)


def _of_partitions(database: Online, table: str, column: str) -> None:
    """The parent has no rows; with its partitions done, no row is looked at."""
    for partition in catalog.partitions(database, table):
        set_not_null(database, database.name(partition.name, partition.schema), column)
    database.run(f"ALTER TABLE {table} ALTER COLUMN {database.name(column)} SET NOT NULL")


def _by_constraint(database: Online, table: str, column: str) -> None:
    """Leaves the name to PostgreSQL, which chooses the one that SET NOT NULL gives."""
    found = database.rows(_NOT_NULL, table=table, column=column)
    if not found:
        database.run(f"ALTER TABLE {table} ADD NOT NULL {database.name(column)} NOT VALID")
        found = database.rows(_NOT_NULL, table=table, column=column)
    validate(database, found[0].name, table)


def _by_check(database: Online, table: str, column: str) -> None:
    bare = table.rpartition(".")[2].strip('"')
    check = catalog.shortened(f"kingpost_{bare}_{column}_not_null")
    quoted = database.name(column)
    found = catalog.column(database, column, table)
    if found is None or not found.not_null:
        add_check(database, check, table, f"{quoted} IS NOT NULL")
        validate(database, check, table)
        database.run(f"ALTER TABLE {table} ALTER COLUMN {quoted} SET NOT NULL")
    if database.offline or catalog.constraint(database, check, table):
        database.run(f"ALTER TABLE {table} DROP CONSTRAINT {database.name(check)}")
