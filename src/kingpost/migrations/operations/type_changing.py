"""The steps of a type change: a second column, kept equal by a trigger, filled, and swapped."""

from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from kingpost.database import drivers
from kingpost.migrations.operations import backfill, catalog, constraints, index_building, probes
from kingpost.migrations.operations.carrying import (
    CarriedConstraint,
    CarriedIndex,
    carried,
    new_name,
    refuse_others,
)
from kingpost.migrations.operations.errors import OperationError
from kingpost.migrations.operations.not_null import set_not_null
from kingpost.migrations.operations.online import Online

_RETRIED = {"55P03", "40P01"}  # lock not available, deadlock
_NOT_NULL = """
    SELECT c.conname::text AS name FROM pg_constraint c
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND c.conkey = ARRAY[a.attnum]
    WHERE c.contype = 'n' AND c.conrelid = to_regclass(:table) AND a.attname = :column
"""
_SEQUENCES = """
    SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_depend d
    JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'a'
      AND d.refobjid = to_regclass(:table) AND a.attname = :column
"""
_COMMENT = """
    SELECT quote_literal(col_description(attrelid, attnum)) AS text FROM pg_attribute
    WHERE attrelid = to_regclass(:table) AND attname = :column
"""


@dataclass(frozen=True)
class Subject:
    """The column whose type changes."""

    bare: str
    schema: str | None
    column: str

    @property
    def new(self) -> str:
        """The name of its successor, as it is."""
        return new_name(self.column)

    @property
    def trigger(self) -> str:
        """The name of the trigger: the last one to fire, after those that change the value."""
        return catalog.shortened(f"zz_kingpost_sync_{self.column}")

    @property
    def function(self) -> str:
        """The name of the trigger's function, as it is."""
        return catalog.shortened(f"kingpost_sync_{self.bare}_{self.column}")


def expand(database: Online, subject: Subject, type_: str, using: str | None) -> None:
    """Makes the second column, complete with everything that hangs on the first one.

    Args:
        database: the connection, outside of a transaction.
        subject: the column.
        type_: the new type, in SQL.
        using: SQL that gives the new value from the old row.

    Raises:
        OperationError: the column does not exist, or something hangs on it that stays behind.
    """
    table = database.name(subject.bare, subject.schema)
    old = catalog.existing_column(database, subject.column, table)
    refuse_others(database, table, subject.column)
    if not database.offline:
        _refuse_misfits(database, table, subject.column, type_)
    value = using or f"CAST({database.name(subject.column)} AS {type_})"
    if catalog.column(database, subject.new, table) is None:
        database.run(f"ALTER TABLE {table} ADD COLUMN {database.name(subject.new)} {type_}")
    _synchronise(database, subject, table, value)
    backfill.fill(database, table, {subject.new: value})
    if old is not None and old.not_null:
        set_not_null(database, table, subject.new)
    if not database.offline:
        _make(database, subject, table, *carried(database, table, subject.column))


def _refuse_misfits(database: Online, table: str, column: str, type_: str) -> None:
    try:
        probes.try_type(database, table, database.name(column), type_)
    except DBAPIError as error:
        if drivers.sqlstate(error) in _RETRIED:
            raise
        reason = str(error.orig).splitlines()[0].rpartition(">: ")[2]
        raise OperationError(
            f"{table}.{column} cannot become {type_} with its indexes and constraints ({reason}): "
            "drop those that do not fit first"
        ) from error


def _synchronise(database: Online, subject: Subject, table: str, value: str) -> None:
    """The running version goes on writing the old column."""
    function = database.name(subject.function, subject.schema)
    body = (
        f"BEGIN NEW.{database.name(subject.new)} := (SELECT {value} "  # noqa: S608 - the user's own SQL
        f"FROM (SELECT NEW.*) AS {database.name(subject.bare)}); RETURN NEW; END"
    )
    database.run(
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql "
        f"AS $kingpost$ {body} $kingpost$"
    )
    query = "SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass(:table) AND tgname = :name"
    if not database.rows(query, table=table, name=subject.trigger):
        database.run(
            f"CREATE TRIGGER {database.name(subject.trigger)} BEFORE INSERT OR UPDATE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {function}()"
        )


def _make(
    database: Online,
    subject: Subject,
    table: str,
    indexes: list[CarriedIndex],
    rules: list[CarriedConstraint],
) -> None:
    for index in indexes:
        name = new_name(index.name)
        wanted = (name, table, subject.schema, index.tail, index.is_unique)
        index_building.build(database, index_building.Wanted(*wanted))
    for rule in rules:
        name = new_name(rule.name)
        if catalog.constraint(database, name, table) is None:
            added = f"ADD CONSTRAINT {database.name(name)} {rule.definition} NOT VALID"
            database.run(f"ALTER TABLE {table} {added}")
        constraints.validate(database, name, table)


def swap(database: Online, subject: Subject) -> None:
    """Puts the second column into the place of the first one, which is dropped.

    Args:
        database: the connection, inside of the transaction of the revision.
        subject: the column.

    Raises:
        OperationError: the second column is not there or not complete.
    """
    table = database.name(subject.bare, subject.schema)
    if not database.offline and catalog.column(database, subject.new, table) is None:
        raise OperationError(
            f"{table}.{subject.column} has no successor: run op.change_type_online first"
        )
    refuse_others(database, table, subject.column)
    found = carried(database, table, subject.column) if not database.offline else ([], [])
    _refuse_incomplete(database, table, *found)
    before = catalog.column(database, subject.column, table)
    names = database.rows(_NOT_NULL, table=table, column=subject.column)
    database.run(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    drop_trigger(database, subject)
    _move(database, subject, table, before.default if before else None)
    for statement in _renames(database, subject, *found):
        database.run(statement)
    for row in names:
        now = database.rows(_NOT_NULL, table=table, column=subject.column)
        database.run(_renamed(database, table, now[0].name, row.name))


def _refuse_incomplete(
    database: Online, table: str, indexes: list[CarriedIndex], rules: list[CarriedConstraint]
) -> None:
    missing = [
        item.name
        for item in indexes
        if not getattr(catalog.index(database, new_name(item.name), table), "valid", False)
    ]
    missing += [
        item.name
        for item in rules
        if not getattr(catalog.constraint(database, new_name(item.name), table), "valid", False)
    ]
    if missing:
        raise OperationError(
            f"{table} has got {', '.join(missing)} meanwhile: repeat op.change_type_online first"
        )


def drop_trigger(database: Online, subject: Subject) -> None:
    """Ends the synchronisation, if there is any.

    Args:
        database: the connection.
        subject: the column.
    """
    table = database.name(subject.bare, subject.schema)
    database.run(f"DROP TRIGGER IF EXISTS {database.name(subject.trigger)} ON {table}")
    database.run(f"DROP FUNCTION IF EXISTS {database.name(subject.function, subject.schema)}()")


def _move(database: Online, subject: Subject, table: str, default: str | None) -> None:
    """What belongs to the old column itself, then the old column's end."""
    new, old = database.name(subject.new), database.name(subject.column)
    of_old = {"table": table, "column": subject.column}
    for sequence in database.rows(_SEQUENCES, **of_old):
        database.run(f"ALTER SEQUENCE {sequence.name} OWNED BY {table}.{new}")
    if default:
        database.run(f"ALTER TABLE {table} ALTER COLUMN {new} SET DEFAULT {default}")
    for comment in database.rows(_COMMENT, **of_old):
        if comment.text:
            database.run(f"COMMENT ON COLUMN {table}.{new} IS {comment.text}")
    database.run(f"ALTER TABLE {table} DROP COLUMN {old}")
    database.run(f"ALTER TABLE {table} RENAME COLUMN {new} TO {old}")


def _renames(
    database: Online, subject: Subject, indexes: list[CarriedIndex], rules: list[CarriedConstraint]
) -> list[str]:
    table = database.name(subject.bare, subject.schema)
    made = []
    for index in indexes:
        name, new = database.name(index.name), database.name(new_name(index.name))
        if index.constraint:
            using = index.constraint.format(new)
            made.append(f"ALTER TABLE {table} ADD CONSTRAINT {name} {using}")
        else:
            qualified = database.name(new_name(index.name), subject.schema)
            made.append(f"ALTER INDEX {qualified} RENAME TO {name}")
    made += [_renamed(database, table, new_name(rule.name), rule.name) for rule in rules]
    return made


def _renamed(database: Online, table: str, old: str, new: str) -> str:
    return f"ALTER TABLE {table} RENAME CONSTRAINT {database.name(old)} TO {database.name(new)}"
