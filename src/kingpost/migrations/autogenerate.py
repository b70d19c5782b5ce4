"""Makes autogenerate write operations that stop nobody, and the contract into its own revision."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from alembic.operations import MigrateOperation, Operations, ops
from alembic.runtime.migration import MigrationContext
from alembic.util import rev_id
from sqlalchemy.exc import DBAPIError

from kingpost.migrations.operations import columns, indexes, not_null, probes, rendering, unique
from kingpost.migrations.operations.constraints import (
    AddCheckOnlineOp,
    AddForeignKeyOnlineOp,
    ValidateConstraintOnlineOp,
)
from kingpost.migrations.operations.online import Online
from kingpost.migrations.operations.types import (
    ChangeTypeOnlineOp,
    CheapTypeOp,
    FinishTypeChangeOp,
)

OWN = "kingpost_"
__all__ = ["include_name", "rendering", "rewrite"]

_CHECKED = """
    SELECT 1 FROM pg_constraint c
    JOIN pg_attribute a ON a.attrelid = to_regclass(:table) AND a.attname = :column
    WHERE c.contype IN ('c', 'f') AND (c.conrelid = a.attrelid AND a.attnum = ANY (c.conkey)
       OR c.confrelid = a.attrelid AND a.attnum = ANY (c.confkey))
"""
Found = tuple[str, MigrateOperation]


def include_name(name: str | None, _type: str, _parents: Any) -> bool:
    """Leaves what is the library's own out of a comparison, for Alembic's `include_name`.

    Args:
        name: of a table, a column, an index or a constraint of the database.

    Returns:
        False for names that begin with `kingpost_`.
    """
    return not (name or "").startswith(OWN)


def rewrite(
    context: MigrationContext, _revision: Any, directives: list[ops.MigrationScript]
) -> None:
    """Rewrites what autogenerate has found, for Alembic's `process_revision_directives`.

    On tables that exist, indexes and constraints are made online, NOT NULL and types are changed
    online, and a column is added in steps where it has to be. What the running version could miss
    goes into a revision of its own, with the phase contract. New tables come first, in a revision
    of their own if there is anything else: what is online commits by itself, and has to be
    repeatable as a whole.

    Args:
        context: of the database.
        directives: the revision that Alembic is about to write; those that follow are appended.
    """
    script = directives[0] if len(directives) == 1 else None
    found = script.upgrade_ops if script else None
    if script is None or found is None:
        return
    parts = _Parts()
    for group, operation in _Rewriting(context, found.ops).all():
        getattr(parts, group).append(operation)
    if any(type(operation).__module__.startswith("kingpost.") for operation in parts.online):
        parts.online = [_repeatable(operation) for operation in parts.online]
    if parts.online or parts.contract:
        _split(script, parts, directives)


@dataclass
class _Parts:
    """Operations by revision."""

    fresh: list[MigrateOperation] = field(default_factory=list)
    online: list[MigrateOperation] = field(default_factory=list)
    contract: list[MigrateOperation] = field(default_factory=list)


class _Rewriting:
    """Goes through the operations of one revision."""

    def __init__(self, context: MigrationContext, found: Sequence[MigrateOperation]) -> None:
        self.database = Online(Operations(context))
        self.flat = list(_flat(found))
        self.new = _tables(self.flat, ops.CreateTableOp)
        self.dropped = _tables(self.flat, ops.DropTableOp)

    def all(self) -> Iterator[Found]:
        """Each operation of the new revisions, with the revision that it belongs to."""
        for operation in self.flat:
            if self._table(operation) in self.new:
                yield "fresh", operation
            elif self._table(operation) in self.dropped:
                yield "contract", operation
            else:
                yield from self._on_existing(operation)

    def _table(self, operation: MigrateOperation) -> tuple[str | None, str]:
        name = getattr(operation, "table_name", getattr(operation, "source_table", ""))
        schema = getattr(operation, "schema", None)
        if isinstance(operation, ops.CreateForeignKeyOp):
            schema = operation.kw.get("source_schema")
        return schema, str(name)

    def _on_existing(self, operation: Any) -> Iterator[Found]:
        match operation:
            case ops.CreateIndexOp():
                yield "online", indexes.CreateIndexOnlineOp(operation)
            case ops.DropIndexOp():
                yield "online", indexes.DropIndexOnlineOp(operation)
            case ops.AddColumnOp():
                yield "online", self._added(operation)
            case ops.AlterColumnOp():
                yield from self._altered(operation)
            case ops.DropColumnOp() | ops.DropTableOp():
                yield "contract", operation
            case ops.AddConstraintOp():
                yield from _constrained(operation)
            case ops.DropConstraintOp():
                operation.if_exists = True  # may be repeated
                yield "online", operation
            case _:
                yield "online", operation

    def _added(self, operation: ops.AddColumnOp) -> MigrateOperation:
        """Stays plain if there is no other way; then it is for a person to see."""
        table = self.database.name(operation.table_name, operation.schema)
        column = operation.column
        if self._tried(lambda: columns.is_rewritten(self.database, table, column)):
            return _repeatable(operation)
        return operation

    def _altered(self, operation: ops.AlterColumnOp) -> Iterator[Found]:
        table, column, schema = operation.table_name, operation.column_name, operation.schema
        if operation.modify_nullable is False:
            plain = _only(operation, modify_nullable=False)
            yield "online", not_null.SetNotNullOnlineOp(table, column, schema=schema, plain=plain)
            operation.modify_nullable = None
        if operation.modify_type is not None and self._is_rewritten(operation):
            plain = _only(operation, modify_type=operation.modify_type)
            type_ = operation.modify_type
            names: dict[str, Any] = {"schema": schema, "plain": plain}
            yield "online", ChangeTypeOnlineOp(table, column, type_, **names)
            yield "contract", FinishTypeChangeOp(table, column, type_, **names)
            operation.modify_type = None
        if operation.modify_type is not None:
            operation = CheapTypeOp.of(operation)
        if operation.has_changes():
            yield "online", operation

    def _is_rewritten(self, operation: ops.AlterColumnOp) -> bool:
        """Whether a new type costs more than a moment; PostgreSQL says so."""
        database = self.database
        table = database.name(operation.table_name, operation.schema)
        if database.rows(_CHECKED, table=table, column=operation.column_name):
            return True
        dialect = database.operations.impl.dialect
        wanted: Any = operation.modify_type
        type_ = dialect.type_compiler_instance.process(wanted)
        action = f"ALTER COLUMN {database.name(operation.column_name)} TYPE {type_}"
        including = "INCLUDING INDEXES"
        return self._tried(lambda: probes.rewrites(database, table, action, including=including))

    def _tried(self, probe: Callable[[], bool]) -> bool:
        """Leaves no trace; what PostgreSQL refuses, such as a type without a cast, needs steps."""
        self.database.probe("SAVEPOINT kingpost_probe")
        try:
            return probe()
        except DBAPIError:
            return True
        finally:
            self.database.probe("ROLLBACK TO SAVEPOINT kingpost_probe")


def _repeatable(operation: MigrateOperation) -> MigrateOperation:
    """Beside online operations, a column that is there already must not be an error."""
    if not isinstance(operation, ops.AddColumnOp):
        return operation
    obstacle = columns.obstacle(operation.column, None, ignore_constraints=True)
    return operation if obstacle else columns.AddColumnOnlineOp(operation)


def _flat(found: Sequence[MigrateOperation]) -> Iterator[MigrateOperation]:
    for operation in found:
        if isinstance(operation, ops.ModifyTableOps):
            yield from operation.ops
        else:
            yield operation


def _tables(flat: Sequence[MigrateOperation], kind: Any) -> set[tuple[str | None, str]]:
    return {(item.schema, str(item.table_name)) for item in flat if isinstance(item, kind)}


def _constrained(operation: Any) -> Iterator[Found]:
    match operation:
        case ops.CreateUniqueConstraintOp():
            yield "online", _unique(operation)
        case ops.CreatePrimaryKeyOp():
            yield "online", _unique(operation, primary_key=True)
        case ops.CreateForeignKeyOp():
            yield "online", AddForeignKeyOnlineOp(operation)
            schema = operation.kw.get("source_schema")
            names = (str(operation.constraint_name), operation.source_table)
            yield "online", ValidateConstraintOnlineOp(*names, schema=schema)
        case ops.CreateCheckConstraintOp():
            yield "online", AddCheckOnlineOp(operation)
            names = (str(operation.constraint_name), operation.table_name)
            yield "online", ValidateConstraintOnlineOp(*names, schema=operation.schema)
        case _:
            yield "online", operation


def _unique(operation: Any, *, primary_key: bool = False) -> MigrateOperation:
    options = {word: value for word, value in operation.kw.items() if value is not None}
    names = (str(operation.constraint_name), operation.table_name, operation.columns)
    schema = operation.schema
    return unique.AddUniqueOnlineOp(*names, schema=schema, primary_key=primary_key, **options)


def _only(operation: ops.AlterColumnOp, **changes: Any) -> ops.AlterColumnOp:
    """The same change without its other parts."""
    return ops.AlterColumnOp(
        operation.table_name,
        operation.column_name,
        schema=operation.schema,
        existing_type=operation.existing_type,
        existing_nullable=operation.existing_nullable,
        existing_server_default=operation.existing_server_default,
        **changes,
    )


def _split(
    script: ops.MigrationScript, parts: _Parts, directives: list[ops.MigrationScript]
) -> None:
    """Writes the first revision anew and lets the others follow it."""
    groups = [(parts.fresh, ""), (parts.online, " online"), (parts.contract, " contract")]
    filled = [(found, suffix) for found, suffix in groups if found]
    for place, (found, suffix) in enumerate(filled):
        if place:
            script = _following(script, suffix)
            directives.append(script)
        script.upgrade_ops = ops.UpgradeOps(list(_plain_last(found)))
        script.downgrade_ops = ops.DowngradeOps(list(_reversed(found)))
        if found is parts.contract:
            script.imports = {*script.imports, 'phase = "contract"'}


def _plain_last(found: list[MigrateOperation]) -> Iterator[MigrateOperation]:
    """What changes a column in a moment goes last: it is in the transaction of the stamp."""
    late = [item for item in found if isinstance(item, ops.AlterColumnOp)]
    yield from (item for item in found if item not in late)
    yield from late


def _following(script: ops.MigrationScript, suffix: str) -> ops.MigrationScript:
    message = f"{(script.message or 'change').split(' (')[0]} ({suffix.strip()})"
    made = ops.MigrationScript(
        rev_id(), ops.UpgradeOps(), ops.DowngradeOps(), message=message, head=script.rev_id
    )
    made.imports = set()
    made._needs_render = True
    return made


def _reversed(found: list[MigrateOperation]) -> Iterator[MigrateOperation]:
    for operation in reversed(found):
        if isinstance(operation, FinishTypeChangeOp):
            yield from _type_back(operation)
        elif not isinstance(operation, ValidateConstraintOnlineOp):
            yield operation.reverse()


def _type_back(operation: FinishTypeChangeOp) -> Iterator[MigrateOperation]:
    """Back to two columns, of which the old one is in its place."""
    old = operation.plain.existing_type if operation.plain else None
    names = (operation.table, operation.column)
    schema = operation.schema
    yield ChangeTypeOnlineOp(*names, old, schema=schema)
    yield FinishTypeChangeOp(*names, schema=schema)
    yield ChangeTypeOnlineOp(*names, operation.type_, schema=schema)
