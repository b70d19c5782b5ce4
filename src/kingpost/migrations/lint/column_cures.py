"""The safe way for columns."""

from kingpost.migrations.lint import constraint_cures, writing
from kingpost.migrations.lint.column_definitions import NewColumn, column
from kingpost.migrations.lint.reader import Name, Reader, quote
from kingpost.migrations.lint.writing import column_type, text

_IN_MODEL = "give the column of the model the same server_default, or they differ"
CONTRACT = 'phase = "contract"  # in a revision of its own, once no running version uses it'
_VALUES = {
    "sa.BigInteger()": "0",
    "sa.Integer()": "0",
    "sa.SmallInteger()": "0",
    "sa.Boolean()": "false",
    "sa.Text()": "''",
    "sa.DateTime(timezone=True)": "now()",
    "postgresql.JSONB()": "'{}'",
}


def add_column(table: Name, reader: Reader) -> str:
    """For ALTER TABLE … ADD COLUMN.

    Args:
        table: the table.
        reader: behind ADD COLUMN.

    Returns:
        Adding it in steps; empty if PostgreSQL adds it in a moment.
    """
    reader.skip("COLUMN", "IF NOT EXISTS")
    found = column(reader)
    if not found.name or found.virtual:
        return ""
    if found.stored:
        return stored(table, found.name, found.type, found.stored)
    kind = column_type(found.type, found.collation)
    if found.serial:
        return _numbered(table, found, kind)
    return _with_constraints(table, found, kind)


def _with_constraints(table: Name, found: NewColumn, kind: str) -> str:
    constraints = _constraints(table, found)
    if not kind:
        return _of_unknown_type(table, found, constraints)
    options = {"nullable": "False" if found.not_null else ""}
    options["server_default"] = f"sa.text({text(found.default)})" if found.default else ""
    if found.not_null and not found.default:
        return writing.lines(_required(table, found, kind), constraints)
    added = writing.call("sa.Column", text(found.name), kind, **options)
    if found.volatile:
        return writing.lines(writing.online("add_column_online", table, added), constraints)
    plain = writing.online("add_column", table, added)
    return writing.lines(plain, constraints) if constraints else ""


def _constraints(table: Name, found: NewColumn) -> str:
    """Those of a column, each online; the names are those that PostgreSQL gives."""
    named, parts = found.constraint, []
    if found.check:
        name = named or f"{table.name}_{found.name}_check"
        parts.append(constraint_cures.check(table, name, found.check))
    if found.unique:
        parts.append(constraint_cures.unique(table, named, [found.name]))
    if found.primary_key:
        name = named or f"{table.name}_pkey"
        parts.append(constraint_cures.primary_key(table, name, [found.name]))
    if found.reference:
        name = named or f"{table.name}_{found.name}_fkey"
        foreign_key = constraint_cures.foreign_key
        parts.append(foreign_key(table, name, [found.name], found.reference))
    return writing.lines(*parts)


def _required(table: Name, found: NewColumn, kind: str) -> str:
    value = _VALUES.get(kind) or ("''" if kind.startswith("sa.String") else "")
    if not value:
        added = writing.call("sa.Column", text(found.name), kind)
        return writing.lines(
            writing.online("add_column", table, added),
            writing.comment(
                f"in the next revision, once every running version writes {found.name}:"
            ),
            writing.online("backfill", table, f"{{{text(found.name)}: {text('…')}}}"),
            writing.online("set_not_null_online", table, text(found.name)),
        )
    options = {"nullable": "False", "server_default": f"sa.text({text(value)})"}
    added = writing.call("sa.Column", text(found.name), kind, **options)
    note = "a constant default costs nothing, and the running version can go on inserting"
    return writing.lines(
        writing.comment(note),
        writing.online("add_column", table, added),
        writing.comment(_IN_MODEL),
    )


def _of_unknown_type(table: Name, found: NewColumn, constraints: str) -> str:
    added = writing.call("sa.Column", text(found.name), "sa.Text()")
    name = text(f"{table.name}_{found.name}_check")
    if found.type.rpartition(".")[2].startswith("_") or not found.type:
        return constraints
    return writing.lines(
        writing.comment(
            f"if {found.type} is a domain with a CHECK: take the type under it, check afterwards"
        ),
        writing.online("add_column", table, added),
        writing.call("op.add_check_online", name, text(table.name), text("its condition")),
        writing.call("op.validate_constraint_online", name, text(table.name)),
        constraints,
    )


def _numbered(table: Name, found: NewColumn, kind: str) -> str:
    sequence = Name(f"{table.name}_{found.name}_seq", table.schema).sql
    next_one = text(f"nextval('{sequence}')")
    options = {"nullable": "False", "server_default": f"sa.text({next_one})"}
    added = writing.call("sa.Column", text(found.name), kind or "sa.BigInteger()", **options)
    owner = f"{table.sql}.{quote(found.name)}"
    return writing.lines(
        writing.execute(f"CREATE SEQUENCE IF NOT EXISTS {sequence}"),
        writing.online("add_column_online", table, added),
        writing.execute(f"ALTER SEQUENCE {sequence} OWNED BY {owner}"),
        writing.comment(_IN_MODEL),
        _constraints(table, found),
    )


def stored(table: Name, name: str, kind: str, expression: str) -> str:
    """A column that a trigger keeps, where one that PostgreSQL generates would be written anew.

    Args:
        table: the table.
        name: of the column.
        kind: its type in SQL.
        expression: in SQL, with the columns of the row.

    Returns:
        The column, the trigger, and the values of the rows that exist.
    """
    function = Name(f"{table.name}_{name}", table.schema).sql
    target = quote(name)
    value = f"(SELECT {expression} FROM (SELECT NEW.*) AS new)"  # noqa: S608 - for a person to read
    body = f"BEGIN NEW.{target} := {value}; RETURN NEW; END"
    trigger = f"CREATE OR REPLACE TRIGGER {quote(f'{table.name}_{name}')} BEFORE INSERT OR UPDATE"
    added = writing.call("sa.Column", text(name), column_type(kind) or "sa.Text()")
    return writing.lines(
        writing.comment("or make it VIRTUAL, from PostgreSQL 18 on: that writes no row"),
        writing.online("add_column_online", table, added),
        writing.execute(
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS\n"
            f"$$ {body} $$"
        ),
        writing.execute(f"{trigger}\nON {table.sql} FOR EACH ROW EXECUTE FUNCTION {function}()"),
        writing.online("backfill", table, f"{{{text(name)}: {text(expression)}}}"),
    )


def alter_column(table: Name, reader: Reader) -> str:
    """For ALTER TABLE … ALTER COLUMN.

    Args:
        table: the table.
        reader: behind ALTER.

    Returns:
        The way in steps; empty for what takes a moment.
    """
    reader.skip("COLUMN")
    name = reader.name().name
    if reader.take("SET NOT NULL"):
        return constraint_cures.not_null(table, name)
    if reader.take("TYPE") or reader.take("SET DATA TYPE"):
        return _change_type(table, name, reader)
    if reader.take("SET EXPRESSION AS"):
        note = f"a second column with the new expression; the next version reads it, not {name}"
        expression = reader.group()
        return writing.lines(
            writing.comment(f"{note}; give it the type of {name}"),
            stored(table, f"{name}_2", "text", expression),
        )
    if reader.take("DROP DEFAULT"):
        code = writing.online("alter_column", table, text(name), server_default="None")
        return writing.lines(CONTRACT, code)
    if reader.take("DROP IDENTITY") or reader.take("DROP EXPRESSION"):
        return writing.comment("let the next version write the column, and do this once it runs")
    return ""


def _change_type(table: Name, name: str, reader: Reader) -> str:
    kind = reader.until("COLLATE", "USING")
    collation = reader.name().name if reader.take("COLLATE") else ""
    using = reader.rest() if reader.take("USING") else ""
    code = column_type(kind, collation) or text(kind)
    options = {"using": text(using) if using else ""}
    return writing.lines(
        writing.online("change_type_online", table, text(name), code, **options),
        writing.comment("in a contract revision, once every running version can take both types:"),
        writing.online("finish_type_change", table, text(name)),
    )


def drop_column(table: Name, reader: Reader) -> str:
    """For ALTER TABLE … DROP COLUMN.

    Args:
        table: the table.
        reader: behind DROP.

    Returns:
        The same in the contract phase.
    """
    reader.skip("COLUMN", "IF EXISTS")
    name = reader.name().name
    return writing.lines(
        writing.comment(f"first deploy a version whose model has no {name}; then, and not before:"),
        CONTRACT,
        writing.online("drop_column", table, text(name)),
    )


def rename_column(table: Name, reader: Reader) -> str:
    """For ALTER TABLE … RENAME COLUMN.

    Args:
        table: the table.
        reader: behind RENAME COLUMN.

    Returns:
        Another name in the model, which needs no change of the database.
    """
    old = reader.name().name
    new = reader.name().name if reader.take("TO") else ""
    return writing.lines(
        writing.comment(
            f"leave the column of {table.name} as it is, rename it in the model alone:"
        ),
        f"{new or 'name'}: Mapped[…] = mapped_column({text(old)})",
    )
