"""`op.create_index_online` and `op.drop_index_online`."""

from collections.abc import Sequence
from typing import Any

from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import CreateIndexOp, DropIndexOp
from sqlalchemy import Column, Index, types
from sqlalchemy.schema import CreateIndex

from kingpost.migrations.operations import index_building
from kingpost.migrations.operations.index_building import Wanted
from kingpost.migrations.operations.online import Online, online

Columns = Sequence[Any]  # names, or text() and other expressions


@Operations.register_operation("create_index_online")
class CreateIndexOnlineOp(MigrateOperation):
    """Builds an index while everybody reads and writes."""

    def __init__(self, plain: CreateIndexOp) -> None:
        self.plain = plain

    @classmethod
    def create_index_online(
        cls,
        operations: Operations,
        name: str,
        table: str,
        columns: Columns,
        *,
        unique: bool = False,
        schema: str | None = None,
        **kw: Any,
    ) -> None:
        """Builds an index CONCURRENTLY, outside of the revision's transaction.

        An INVALID index of that name, left by a build that failed, is dropped and built again; a
        valid one with the same definition is left alone. If the build fails, what it left is
        dropped. It waits as long as the oldest transaction lasts, without a time limit, and
        keeps nobody waiting. A partitioned table gets an index on each partition, attached to
        that of the table.

        Args:
            operations: supplied by Alembic.
            name: of the index.
            table: its table.
            columns: names, or expressions made with `text()`.
            unique: whether values may be there once only.
            schema: of the table, if it is not found without.
            **kw: as `op.create_index` takes them, such as `postgresql_where`.

        Raises:
            OperationError: another index has that name, or values are there twice.
        """
        plain = CreateIndexOp(name, table, columns, schema=schema, unique=unique, **kw)
        operations.invoke(cls(plain))

    def reverse(self) -> "DropIndexOnlineOp":
        """The operation that undoes it."""
        return DropIndexOnlineOp(self.plain.reverse())

    def to_diff_tuple(self) -> tuple[str, Index]:
        """What `alembic check` says."""
        return self.plain.to_diff_tuple()


@Operations.register_operation("drop_index_online")
class DropIndexOnlineOp(MigrateOperation):
    """Drops an index while everybody reads and writes."""

    def __init__(self, plain: DropIndexOp) -> None:
        self.plain = plain

    @classmethod
    def drop_index_online(
        cls, operations: Operations, name: str, table: str, *, schema: str | None = None
    ) -> None:
        """Drops an index CONCURRENTLY, outside of the revision's transaction, if it exists.

        Args:
            operations: supplied by Alembic.
            name: of the index.
            table: its table.
            schema: of the table, if it is not found without.

        Raises:
            OperationError: it belongs to a constraint or to another table.
        """
        operations.invoke(cls(DropIndexOp(name, table, schema=schema)))

    def reverse(self) -> CreateIndexOnlineOp:
        """The operation that undoes it."""
        return CreateIndexOnlineOp(self.plain.reverse())

    def to_diff_tuple(self) -> tuple[str, Index]:
        """What `alembic check` says."""
        return self.plain.to_diff_tuple()


@Operations.implementation_for(CreateIndexOnlineOp)
def _create(operations: Operations, operation: CreateIndexOnlineOp) -> None:
    with online(operations) as database:
        index_building.build(database, wanted(database, operation.plain))


@Operations.implementation_for(DropIndexOnlineOp)
def _drop(operations: Operations, operation: DropIndexOnlineOp) -> None:
    plain = operation.plain
    with online(operations) as database:
        table = database.name(str(plain.table_name), plain.schema)
        index_building.drop(database, str(plain.index_name), table, plain.schema)


def wanted(database: Online, plain: CreateIndexOp) -> Wanted:
    """Takes CREATE INDEX of SQLAlchemy apart.

    Args:
        database: the connection, with its dialect.
        plain: Alembic's operation.

    Returns:
        The index that it would make.
    """
    index = plain.to_index(database.context)
    table = index.table
    for included in index.kwargs.get("postgresql_include") or ():
        if table is not None and included not in table.c:
            table.append_column(Column(included, types.NullType))
    dialect = database.operations.impl.dialect
    sql = str(CreateIndex(index).compile(dialect=dialect)).replace("%%", "%")
    name = database.name(plain.table_name, plain.schema)
    tail = sql.partition(f" ON {name} ")[2].strip()
    return Wanted(str(index.name), name, plain.schema, tail, bool(plain.unique))
