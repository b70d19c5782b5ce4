"""`op.add_column_online`: adds a column whose default differs from row to row."""

import re
from typing import Any

from alembic.ddl.base import add_column
from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import AddColumnOp, DropColumnOp
from sqlalchemy import Column, ColumnElement

from kingpost.migrations.operations import backfill, catalog, probes
from kingpost.migrations.operations.constraints import sql_of
from kingpost.migrations.operations.errors import OperationError
from kingpost.migrations.operations.not_null import set_not_null
from kingpost.migrations.operations.online import Online, online

_STABLE_CALLS = {
    "now",
    "transaction_timestamp",
    "statement_timestamp",
    "current_setting",
    "lower",
    "upper",
}
_CALL = re.compile(r"(\w+)\s*\(")


@Operations.register_operation("add_column_online")
class AddColumnOnlineOp(MigrateOperation):
    """Adds a column without writing the table anew under a lock."""

    def __init__(self, plain: AddColumnOp, fill: Any = None) -> None:
        self.plain = plain
        self.fill = fill

    @classmethod
    def add_column_online(
        cls,
        operations: Operations,
        table: str,
        column: Column[Any],
        fill: str | ColumnElement[Any] | None = None,
        *,
        schema: str | None = None,
    ) -> None:
        """Adds a column; where PostgreSQL would write the table anew for it, in steps.

        A constant default, or one such as `now()`, costs a moment: the column is just added.
        Else it is added empty, the default is set for new rows, the others are filled in batches
        as `op.backfill` does, and NOT NULL comes last, as `op.set_not_null_online` does it. A
        column that exists is not added again.

        Args:
            operations: supplied by Alembic.
            table: the table; to be filled it needs a primary key.
            column: without constraints and index, which have operations of their own.
            fill: SQL for the rows that exist, if they get something else than the default.
            schema: of the table, if it is not found without.

        Raises:
            OperationError: the column has a constraint, is an identity or is generated, or is
                NOT NULL and nothing says what the rows that exist get.
        """
        operations.invoke(cls(AddColumnOp(table, column, schema=schema), fill))

    def reverse(self) -> DropColumnOp:
        """The operation that undoes it."""
        return self.plain.reverse()

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """What `alembic check` says."""
        return self.plain.to_diff_tuple()


@Operations.implementation_for(AddColumnOnlineOp)
def _add(operations: Operations, operation: AddColumnOnlineOp) -> None:
    column: Column[Any] = operation.plain.column
    if reason := obstacle(column, operation.fill):
        raise OperationError(f"{column.name} cannot be added online: {reason}")
    with online(operations) as database:
        table = database.name(operation.plain.table_name, operation.plain.schema)
        if operation.fill is None and not is_rewritten(database, table, column):
            if catalog.column(database, column.name, table) is None:
                database.run(f"ALTER TABLE {table} {_added(database, column)}")
        else:
            _in_steps(database, table, column, operation.fill)


def obstacle(column: Column[Any], fill: Any, *, ignore_constraints: bool = False) -> str:
    """Why a column cannot be added online.

    Args:
        column: as it shall be.
        fill: SQL for the rows that exist, or None.
        ignore_constraints: for autogenerate, which adds them by other operations.

    Returns:
        The reason and what to do; empty if it can be added.
    """
    if not ignore_constraints and _has_constraints(column):
        return "add its constraints and indexes with operations of their own, afterwards"
    if column.primary_key:
        return "make it the primary key with op.add_unique_online(…, primary_key=True), afterwards"
    if column.identity is not None:
        return "an identity numbers all rows under a lock: use a sequence as its server_default"
    if column.computed is not None and column.computed.persisted is not False:
        return "a stored generated column writes all rows under a lock: make it virtual, or plain"
    if not column.nullable and column.server_default is None and fill is None:
        return "it is NOT NULL: say what the rows that exist get, with server_default or fill"
    return ""


def _has_constraints(column: Column[Any]) -> bool:
    return bool(column.foreign_keys or column.constraints or column.unique or column.index)


def is_rewritten(database: Online, table: str, column: Column[Any]) -> bool:
    """Whether the table would be written anew for a column.

    PostgreSQL knows best; without one, a call that is not known to be stable means yes.

    Args:
        database: the connection.
        table: as it stands in SQL.
        column: as it shall be, added already or not.

    Returns:
        True if it has to be added in steps.
    """
    if not database.offline:
        gone = f"DROP COLUMN IF EXISTS {database.name(column.name)}"
        added = _added(database, column, nullable=True)
        return probes.rewrites(database, table, added, first=gone)
    calls = set(_CALL.findall(_default(database, column) or ""))
    return bool(calls - _STABLE_CALLS)


def _in_steps(database: Online, table: str, column: Column[Any], fill: Any) -> None:
    default = _default(database, column)
    quoted = database.name(column.name)
    set_default = f"ALTER COLUMN {quoted} SET DEFAULT {default}"
    found = catalog.column(database, column.name, table)
    if found is None:
        added = _added(database, column, nullable=True, default=False)
        database.run(f"ALTER TABLE {table} {added}" + (f", {set_default}" if default else ""))
    elif default and found.default is None:
        database.run(f"ALTER TABLE {table} {set_default}")
    sql = sql_of(database, fill) if fill is not None else str(default)
    backfill.fill(database, table, {column.name: sql})
    if not column.nullable:
        set_not_null(database, table, column.name)


def _added(
    database: Online, column: Column[Any], *, nullable: bool = False, default: bool = True
) -> str:
    """ADD COLUMN and what follows."""
    wanted = column._copy()
    wanted.nullable = nullable or column.nullable
    wanted.server_default = column.server_default if default else None
    dialect = database.operations.impl.dialect
    return add_column(dialect.ddl_compiler(dialect, None), wanted).replace("%%", "%")  # type: ignore[arg-type] # compilers of parts have no statement


def _default(database: Online, column: Column[Any]) -> str | None:
    dialect = database.operations.impl.dialect
    compiler = dialect.ddl_compiler(dialect, None)  # type: ignore[arg-type] # as above
    found = compiler.get_column_default_string(column)
    return found.replace("%%", "%") if found else None
