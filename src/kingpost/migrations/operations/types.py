"""`op.change_type_online`, `op.finish_type_change` and `op.undo_type_change`."""

from typing import Any

from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import AlterColumnOp
from sqlalchemy.types import TypeEngine, to_instance

from kingpost.migrations.operations import type_changing
from kingpost.migrations.operations.online import Online, online
from kingpost.migrations.operations.type_changing import Subject


class _TypeChangeOp(MigrateOperation):
    """What the three have in common: the column."""

    def __init__(
        self,
        table: str,
        column: str,
        type_: Any = None,
        using: str | None = None,
        *,
        schema: str | None = None,
        plain: AlterColumnOp | None = None,
    ) -> None:
        self.table = table
        self.column = column
        self.type_ = type_
        self.using = using
        self.schema = schema
        self.plain = plain

    @property
    def subject(self) -> Subject:
        """The column, for the steps."""
        return Subject(self.table, self.schema, self.column)

    def to_diff_tuple(self) -> Any:
        """What `alembic check` says."""
        if self.plain is None:
            return ("modify_type", self.schema, self.table, self.column)
        return self.plain.to_diff_tuple()


@Operations.register_operation("change_type_online")
class ChangeTypeOnlineOp(_TypeChangeOp):
    """Makes a second column of another type and keeps it equal."""

    @classmethod
    def change_type_online(
        cls,
        operations: Operations,
        table: str,
        column: str,
        type_: TypeEngine[Any] | type[TypeEngine[Any]],
        using: str | None = None,
        *,
        schema: str | None = None,
    ) -> None:
        """Prepares another type for a column, while everybody reads and writes it.

        A second column gets the new type. A trigger fills it for whatever is written, batches
        fill it in the rows that exist. Indexes, unique constraints, CHECKs, foreign keys and NOT
        NULL are made for it as well. Then `op.finish_type_change`, in a later revision, swaps the
        two in a moment. A change that PostgreSQL makes without writing the table anew, such as a
        longer varchar, needs no such effort: use `op.alter_column`.

        Args:
            operations: supplied by Alembic.
            table: the table; it needs a primary key.
            column: the column.
            type_: its new type.
            using: SQL for the new value, from columns of the row; a cast without it. What cannot
                be converted cannot be written any more.
            schema: of the table, if it is not found without.

        Raises:
            OperationError: something hangs on the column that cannot be carried over, such as a
                view, or a foreign key of another table.
        """
        operations.invoke(cls(table, column, type_, using, schema=schema))

    def reverse(self) -> "UndoTypeChangeOp":
        """The operation that undoes it."""
        return UndoTypeChangeOp(self.table, self.column, schema=self.schema, plain=self.plain)


@Operations.register_operation("finish_type_change")
class FinishTypeChangeOp(_TypeChangeOp):
    """Puts the second column into the place of the first one."""

    @classmethod
    def finish_type_change(
        cls, operations: Operations, table: str, column: str, *, schema: str | None = None
    ) -> None:
        """Swaps the columns of `op.change_type_online` by renaming, and drops the old one.

        It is part of the revision's transaction, and takes ACCESS EXCLUSIVE for a moment in which
        no row is looked at. Statements that the running version has prepared become stale, and
        the column is the last one of the table from then on.

        Args:
            operations: supplied by Alembic.
            table: the table.
            column: the column.
            schema: of the table, if it is not found without.

        Raises:
            OperationError: there is no second column, or an index or constraint was made since.
        """
        operations.invoke(cls(table, column, schema=schema))


@Operations.register_operation("undo_type_change")
class UndoTypeChangeOp(_TypeChangeOp):
    """Takes the second column away again."""

    @classmethod
    def undo_type_change(
        cls, operations: Operations, table: str, column: str, *, schema: str | None = None
    ) -> None:
        """Undoes `op.change_type_online`, as long as `op.finish_type_change` has not followed.

        Args:
            operations: supplied by Alembic.
            table: the table.
            column: the column.
            schema: of the table, if it is not found without.
        """
        operations.invoke(cls(table, column, schema=schema))


class CheapTypeOp(AlterColumnOp):
    """A plain change of a type of which PostgreSQL has said that it writes no row."""

    @classmethod
    def of(cls, plain: AlterColumnOp) -> "CheapTypeOp":
        """The same change, known to be cheap.

        Args:
            plain: as autogenerate has found it.
        """
        made = cls(plain.table_name, plain.column_name, schema=plain.schema)
        made.__dict__.update(plain.__dict__)
        return made

    def reverse(self) -> AlterColumnOp:
        """The way back, which may be dear."""
        plain = AlterColumnOp(self.table_name, self.column_name, schema=self.schema)
        plain.__dict__.update(self.__dict__)
        return plain.reverse()


@Operations.implementation_for(ChangeTypeOnlineOp)
def _change(operations: Operations, operation: ChangeTypeOnlineOp) -> None:
    compiler = operations.impl.dialect.type_compiler_instance
    type_ = compiler.process(to_instance(operation.type_))
    with online(operations) as database:
        type_changing.expand(database, operation.subject, type_, operation.using)


@Operations.implementation_for(FinishTypeChangeOp)
def _finish(operations: Operations, operation: FinishTypeChangeOp) -> None:
    type_changing.swap(Online(operations), operation.subject)


@Operations.implementation_for(UndoTypeChangeOp)
def _undo(operations: Operations, operation: UndoTypeChangeOp) -> None:
    database, subject = Online(operations), operation.subject
    type_changing.drop_trigger(database, subject)
    table = database.name(subject.bare, subject.schema)
    database.run(f"ALTER TABLE {table} DROP COLUMN IF EXISTS {database.name(subject.new)}")
