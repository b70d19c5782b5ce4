"""`op.add_unique_online`."""

from collections.abc import Sequence
from typing import Any

from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import (
    CreateIndexOp,
    CreatePrimaryKeyOp,
    CreateUniqueConstraintOp,
    DropConstraintOp,
)
from sqlalchemy import Constraint

from kingpost.migrations.operations import catalog, index_building, indexes
from kingpost.migrations.operations.errors import OperationError
from kingpost.migrations.operations.not_null import set_not_null
from kingpost.migrations.operations.online import Online, online


@Operations.register_operation("add_unique_online")
class AddUniqueOnlineOp(MigrateOperation):
    """Makes values unique while everybody reads and writes."""

    def __init__(
        self,
        name: str,
        table: str,
        columns: Sequence[str],
        *,
        schema: str | None = None,
        primary_key: bool = False,
        **kw: Any,
    ) -> None:
        self.name = name
        self.table = table
        self.columns = list(columns)
        self.schema = schema
        self.primary_key = primary_key
        self.kw = kw

    @classmethod
    def add_unique_online(
        cls,
        operations: Operations,
        name: str,
        table: str,
        columns: Sequence[str],
        *,
        schema: str | None = None,
        primary_key: bool = False,
        **kw: Any,
    ) -> None:
        """Builds a unique index CONCURRENTLY and makes a constraint of it, in a moment.

        For a primary key the columns are made NOT NULL first, online as well, since a primary
        key would look for NULL under ACCESS EXCLUSIVE.

        Args:
            operations: supplied by Alembic.
            name: of the constraint and its index.
            table: its table.
            columns: names.
            schema: of the table, if it is not found without.
            primary_key: makes a primary key instead of a unique constraint.
            **kw: as `op.create_unique_constraint` takes them, such as `deferrable`.

        Raises:
            OperationError: something else has that name, or values are there twice.
        """
        kwargs = {"schema": schema, "primary_key": primary_key, **kw}
        operations.invoke(cls(name, table, columns, **kwargs))

    def reverse(self) -> DropConstraintOp:
        """The operation that undoes it."""
        return self._plain().reverse()

    def to_diff_tuple(self) -> tuple[str, Constraint]:
        """What `alembic check` says."""
        return self._plain().to_diff_tuple()

    def _plain(self) -> CreatePrimaryKeyOp | CreateUniqueConstraintOp:
        kind = CreatePrimaryKeyOp if self.primary_key else CreateUniqueConstraintOp
        return kind(self.name, self.table, self.columns, schema=self.schema, **self.kw)


@Operations.implementation_for(AddUniqueOnlineOp)
def _add(operations: Operations, operation: AddUniqueOnlineOp) -> None:
    with online(operations) as database:
        table = database.name(operation.table, operation.schema)
        found = catalog.constraint(database, operation.name, table)
        if found is None:
            _build(database, operation, table)
        elif (found.type, found.columns) != (_type(operation), operation.columns):
            raise OperationError(
                f"{operation.name} on {table} exists as {found.definition}: "
                "drop it, or choose another name"
            )


def _type(operation: AddUniqueOnlineOp) -> str:
    return "p" if operation.primary_key else "u"


def _build(database: Online, operation: AddUniqueOnlineOp, table: str) -> None:
    if catalog.is_partitioned(database, table):
        raise OperationError(
            f"{table} is partitioned, which takes no constraint from an index: "
            "use op.create_index_online with unique=True"
        )
    if operation.primary_key:
        for column in operation.columns:
            set_not_null(database, table, column)
    known = {"postgresql_include", "postgresql_nulls_not_distinct"}
    options = {word: value for word, value in operation.kw.items() if word in known}
    columns, schema = operation.columns, operation.schema
    plain = CreateIndexOp(
        operation.name, operation.table, columns, schema=schema, unique=True, **options
    )
    index_building.build(database, indexes.wanted(database, plain))
    database.run(_constraint(database, operation, table))


def _constraint(database: Online, operation: AddUniqueOnlineOp, table: str) -> str:
    name = database.name(operation.name)
    kind = "PRIMARY KEY" if operation.primary_key else "UNIQUE"
    words = ["DEFERRABLE"] if operation.kw.get("deferrable") else []
    if initially := operation.kw.get("initially"):
        words.append(f"INITIALLY {initially}")
    using = " ".join([f"{kind} USING INDEX {name}", *words])
    return f"ALTER TABLE {table} ADD CONSTRAINT {name} {using}"
