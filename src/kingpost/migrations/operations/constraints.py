"""`op.add_check_online`, `op.add_foreign_key_online` and `op.validate_constraint_online`."""

from collections.abc import Sequence
from typing import Any

from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import (
    CreateCheckConstraintOp,
    CreateForeignKeyOp,
    DropConstraintOp,
)
from sqlalchemy import ColumnElement, Constraint, TextClause
from sqlalchemy.schema import AddConstraint

from kingpost.migrations.operations import catalog, probes
from kingpost.migrations.operations.errors import OperationError
from kingpost.migrations.operations.online import Online, online

_ACTIONS = {"CASCADE": "c", "RESTRICT": "r", "SET NULL": "n", "SET DEFAULT": "d"}


@Operations.register_operation("add_check_online")
class AddCheckOnlineOp(MigrateOperation):
    """Adds a CHECK for what is written from now on."""

    def __init__(self, plain: CreateCheckConstraintOp) -> None:
        self.plain = plain

    @classmethod
    def add_check_online(
        cls,
        operations: Operations,
        name: str,
        table: str,
        condition: str | ColumnElement[bool] | TextClause,
        *,
        schema: str | None = None,
    ) -> None:
        """Adds a CHECK that is NOT VALID: it holds for new rows, old ones are not looked at.

        Follow it with `op.validate_constraint_online`. The running version has to write nothing
        that the CHECK forbids. An equal one of that name is left alone.

        Args:
            operations: supplied by Alembic.
            name: of the constraint.
            table: its table.
            condition: in SQL.
            schema: of the table, if it is not found without.

        Raises:
            OperationError: another constraint has that name.
        """
        kw: dict[str, Any] = {"postgresql_not_valid": True}
        operations.invoke(cls(CreateCheckConstraintOp(name, table, condition, schema=schema, **kw)))

    def reverse(self) -> DropConstraintOp:
        """The operation that undoes it."""
        return self.plain.reverse()

    def to_diff_tuple(self) -> tuple[str, Constraint]:
        """What `alembic check` says."""
        return self.plain.to_diff_tuple()


@Operations.register_operation("add_foreign_key_online")
class AddForeignKeyOnlineOp(MigrateOperation):
    """Adds a foreign key for what is written from now on."""

    def __init__(self, plain: CreateForeignKeyOp) -> None:
        self.plain = plain

    @classmethod
    def add_foreign_key_online(
        cls,
        operations: Operations,
        name: str,
        source: str,
        referent: str,
        local_cols: Sequence[str],
        remote_cols: Sequence[str],
        **kw: Any,
    ) -> None:
        """Adds a foreign key that is NOT VALID: it holds for new rows, old ones are not looked at.

        Follow it with `op.validate_constraint_online`. It locks both tables for a moment. An
        equal one of that name is left alone.

        Args:
            operations: supplied by Alembic.
            name: of the constraint.
            source: the table that points.
            referent: the table that it points to.
            local_cols: columns of the one.
            remote_cols: columns of the other.
            **kw: as `op.create_foreign_key` takes them, such as `ondelete`.

        Raises:
            OperationError: another constraint has that name.
        """
        options = {**kw, "postgresql_not_valid": True}
        columns = (list(local_cols), list(remote_cols))
        operations.invoke(cls(CreateForeignKeyOp(name, source, referent, *columns, **options)))

    def reverse(self) -> DropConstraintOp:
        """The operation that undoes it."""
        return self.plain.reverse()

    def to_diff_tuple(self) -> tuple[str, Constraint]:
        """What `alembic check` says."""
        return self.plain.to_diff_tuple()


@Operations.register_operation("validate_constraint_online")
class ValidateConstraintOnlineOp(MigrateOperation):
    """Looks whether the rows that exist keep a constraint."""

    def __init__(self, name: str, table: str, *, schema: str | None = None) -> None:
        self.name = name
        self.table = table
        self.schema = schema

    @classmethod
    def validate_constraint_online(
        cls, operations: Operations, name: str, table: str, *, schema: str | None = None
    ) -> None:
        """Validates a constraint that was added NOT VALID, while everybody reads and writes.

        It may stand in the revision that added it, since that committed it. One that is valid
        already is left alone.

        Args:
            operations: supplied by Alembic.
            name: of the constraint.
            table: its table.
            schema: of the table, if it is not found without.

        Raises:
            OperationError: there is no such constraint.
        """
        operations.invoke(cls(name, table, schema=schema))


@Operations.implementation_for(AddCheckOnlineOp)
def _add_check(operations: Operations, operation: AddCheckOnlineOp) -> None:
    plain = operation.plain
    name = plain.to_constraint(operations.get_context()).name  # a convention may change it
    with online(operations) as database:
        table = database.name(plain.table_name, plain.schema)
        add_check(database, str(name), table, sql_of(database, plain.condition))


def sql_of(database: Online, expression: Any) -> str:
    """An expression as it stands in SQL.

    Args:
        database: the connection, with its dialect.
        expression: SQL as a string, or an expression of SQLAlchemy.

    Returns:
        The SQL, with its values in it.
    """
    if isinstance(expression, str):
        return expression
    dialect = database.operations.impl.dialect
    compiled = expression.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    return str(compiled).replace("%%", "%")


def add_check(database: Online, name: str, table: str, condition: str) -> None:
    """Makes sure that a CHECK exists, valid or not.

    Args:
        database: the connection, outside of a transaction.
        name: of the constraint, as it is.
        table: as it stands in SQL.
        condition: in SQL.

    Raises:
        OperationError: another constraint has that name.
    """
    found = catalog.constraint(database, name, table)
    if found is None:
        added = f"ADD CONSTRAINT {database.name(name)} CHECK ({condition}) NOT VALID"
        database.run(f"ALTER TABLE {table} {added}")
        return
    wanted = probes.check_definition(database, table, condition)
    if found.definition != wanted:
        raise _other(name, table, found.definition, wanted)


@Operations.implementation_for(AddForeignKeyOnlineOp)
def _add_foreign_key(operations: Operations, operation: AddForeignKeyOnlineOp) -> None:
    made: Any = operation.plain.to_constraint(operations.get_context())
    with online(operations) as database:
        table = database.name(made.parent.name, made.parent.schema)
        found = catalog.constraint(database, str(made.name), table)
        if found is None:
            compiled = AddConstraint(made).compile(dialect=operations.impl.dialect)
            database.run(str(compiled).strip())
        elif _of_found(found) != _of_wanted(database, made):
            wanted = f"FOREIGN KEY to {made.elements[0].target_fullname}"
            raise _other(str(made.name), table, found.definition, wanted)


def _of_found(found: Any) -> tuple[Any, ...]:
    actions = (found.on_delete, found.on_update)
    return (found.type, found.columns, found.referent, found.remote, *actions)


def _of_wanted(database: Online, made: Any) -> tuple[Any, ...]:
    referred = made.elements[0].column.table
    name = database.name(referred.name, referred.schema)
    oid = database.rows("SELECT to_regclass(:name)::oid::bigint", name=name)[0][0]
    local = [column.name for column in made.columns]
    remote = [element.column.name for element in made.elements]
    actions = [_ACTIONS.get((word or "").upper(), "a") for word in (made.ondelete, made.onupdate)]
    return ("f", local, oid, remote, *actions)


def _other(name: str, table: str, found: str, wanted: str) -> OperationError:
    return OperationError(
        f"{name} on {table} exists as {found}, not as {wanted}: drop it, or choose another name"
    )


@Operations.implementation_for(ValidateConstraintOnlineOp)
def _validate(operations: Operations, operation: ValidateConstraintOnlineOp) -> None:
    check = CreateCheckConstraintOp(operation.name, operation.table, "true")
    conventional = str(check.to_constraint(operations.get_context()).name)
    with online(operations) as database:
        table = database.name(operation.table, operation.schema)
        name = operation.name
        if catalog.constraint(database, conventional, table):
            name = conventional
        validate(database, name, table)


def validate(database: Online, name: str, table: str) -> None:
    """Makes sure that a constraint is valid.

    Args:
        database: the connection, outside of a transaction.
        name: of the constraint, as it is.
        table: as it stands in SQL.

    Raises:
        OperationError: there is no such constraint.
    """
    found = catalog.constraint(database, name, table)
    if found is None and not database.offline:
        raise OperationError(f"{table} has no constraint {name}: correct the name, or add it first")
    if found is None or not found.valid:
        with database.patient():
            database.run(f"ALTER TABLE {table} VALIDATE CONSTRAINT {database.name(name)}")
