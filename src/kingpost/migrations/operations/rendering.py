"""How autogenerate writes the operations into a revision."""

from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _alter_column, _repr_type, render_op_text, renderers

from kingpost.migrations.operations.columns import AddColumnOnlineOp
from kingpost.migrations.operations.constraints import (
    AddCheckOnlineOp,
    AddForeignKeyOnlineOp,
    ValidateConstraintOnlineOp,
)
from kingpost.migrations.operations.indexes import CreateIndexOnlineOp, DropIndexOnlineOp
from kingpost.migrations.operations.not_null import SetNotNullOnlineOp
from kingpost.migrations.operations.types import (
    ChangeTypeOnlineOp,
    CheapTypeOp,
    FinishTypeChangeOp,
    UndoTypeChangeOp,
)
from kingpost.migrations.operations.unique import AddUniqueOnlineOp

_CHEAP = "# kingpost: allow changing-column-type: PostgreSQL was asked, and writes no row for it"


@renderers.dispatch_for(CreateIndexOnlineOp)
def _create_index(context: AutogenContext, operation: CreateIndexOnlineOp) -> str:
    plain = render_op_text(context, operation.plain)
    return plain.replace("create_index(", "create_index_online(", 1)


@renderers.dispatch_for(DropIndexOnlineOp)
def _drop_index(_: AutogenContext, operation: DropIndexOnlineOp) -> str:
    plain = operation.plain
    return _call("drop_index_online", plain.index_name, plain.table_name, schema=plain.schema)


@renderers.dispatch_for(AddCheckOnlineOp)
def _add_check(_: AutogenContext, operation: AddCheckOnlineOp) -> str:
    plain = operation.plain
    condition = str(plain.condition)
    arguments = (plain.constraint_name, plain.table_name, condition)
    return _call("add_check_online", *arguments, schema=plain.schema)


@renderers.dispatch_for(AddForeignKeyOnlineOp)
def _add_foreign_key(context: AutogenContext, operation: AddForeignKeyOnlineOp) -> str:
    plain = render_op_text(context, operation.plain)
    return plain.replace("create_foreign_key(", "add_foreign_key_online(", 1)


@renderers.dispatch_for(ValidateConstraintOnlineOp)
def _validate(_: AutogenContext, operation: ValidateConstraintOnlineOp) -> str:
    arguments = (operation.name, operation.table)
    return _call("validate_constraint_online", *arguments, schema=operation.schema)


@renderers.dispatch_for(SetNotNullOnlineOp)
def _set_not_null(_: AutogenContext, operation: SetNotNullOnlineOp) -> str:
    arguments = (operation.table, operation.column)
    return _call("set_not_null_online", *arguments, schema=operation.schema)


@renderers.dispatch_for(AddUniqueOnlineOp)
def _add_unique(_: AutogenContext, operation: AddUniqueOnlineOp) -> str:
    options = {"schema": operation.schema, **operation.kw}
    if operation.primary_key:
        options["primary_key"] = True
    arguments = (operation.name, operation.table, operation.columns)
    return _call("add_unique_online", *arguments, **options)


@renderers.dispatch_for(AddColumnOnlineOp)
def _add_column(context: AutogenContext, operation: AddColumnOnlineOp) -> str:
    plain = render_op_text(context, operation.plain)
    return plain.replace("add_column(", "add_column_online(", 1)


@renderers.dispatch_for(ChangeTypeOnlineOp)
def _change_type(context: AutogenContext, operation: ChangeTypeOnlineOp) -> str:
    type_ = _repr_type(operation.type_, context)
    text = _call("change_type_online", operation.table, operation.column, schema=operation.schema)
    head, _, tail = text.partition(f"{operation.column!r}")
    return f"{head}{operation.column!r}, {type_}{tail}"


@renderers.dispatch_for(CheapTypeOp)
def _cheap_type(context: AutogenContext, operation: CheapTypeOp) -> list[str]:
    return [_CHEAP, _alter_column(context, operation)]


@renderers.dispatch_for(FinishTypeChangeOp)
def _finish_type_change(_: AutogenContext, operation: FinishTypeChangeOp) -> str:
    arguments = (operation.table, operation.column)
    return _call("finish_type_change", *arguments, schema=operation.schema)


@renderers.dispatch_for(UndoTypeChangeOp)
def _undo_type_change(_: AutogenContext, operation: UndoTypeChangeOp) -> str:
    arguments = (operation.table, operation.column)
    return _call("undo_type_change", *arguments, schema=operation.schema)


def _call(name: str, *arguments: Any, **options: Any) -> str:
    """A call with literals; names that a convention has made are literals, too."""
    texts = [repr(str(value) if isinstance(value, str) else value) for value in arguments]
    texts += [f"{word}={value!r}" for word, value in options.items() if value is not None]
    return f"op.{name}({', '.join(texts)})"
