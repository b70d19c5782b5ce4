"""Writes Alembic code for a person to paste."""

import json
from collections.abc import Sequence
from textwrap import indent

from kingpost.migrations.lint.reader import Name, Reader

_WIDTH = 92


def text(value: str) -> str:
    """A string of Python.

    Args:
        value: any text.

    Returns:
        Its literal, in double quotes.
    """
    return json.dumps(value, ensure_ascii=False)


def texts(values: Sequence[str]) -> str:
    """A list of strings of Python.

    Args:
        values: any texts.

    Returns:
        Its literal.
    """
    return "[" + ", ".join(map(text, values)) + "]"


def call(function: str, *arguments: str, schema: str = "", **options: str) -> str:
    """A call of Python, on several lines if it is long.

    Args:
        function: such as `op.add_column`.
        *arguments: as code.
        schema: of the table; left out if empty.
        **options: arguments by name, as code; those that are empty are left out.

    Returns:
        The call.
    """
    parts = [*arguments, *(f"{name}={value}" for name, value in options.items() if value)]
    parts += [f"schema={text(schema)}"] if schema else []
    line = f"{function}({', '.join(parts)})"
    if len(line) <= _WIDTH:
        return line
    return f"{function}(\n" + indent("".join(f"{part},\n" for part in parts), "    ") + ")"


def execute(sql: str) -> str:
    """A statement that is sent as it is.

    Args:
        sql: one statement.

    Returns:
        The call of `op.execute`.
    """
    literal = f'"""{sql}"""' if "\n" in sql and '"""' not in sql and "\\" not in sql else text(sql)
    return f"op.execute({literal})"


def outside(*sql: str) -> str:
    """Statements that are sent outside of the transaction.

    Args:
        *sql: one statement each.

    Returns:
        The block.
    """
    body = indent("\n".join(map(execute, sql)), "    ")
    return f"with op.get_context().autocommit_block():\n{body}"


def comment(sentence: str) -> str:
    """What a person has to know.

    Args:
        sentence: on one line.

    Returns:
        The comment.
    """
    return f"# {sentence}"


def lines(*parts: str) -> str:
    """Puts parts of code below each other.

    Args:
        *parts: those that are empty are left out.

    Returns:
        The code.
    """
    return "\n".join(part for part in parts if part)


def online(operation: str, table: Name, *arguments: str, **options: str) -> str:
    """A call of an operation on a table.

    Args:
        operation: such as `set_not_null_online`, whose first argument is the table.
        table: the table.
        *arguments: the others, as code.
        **options: arguments by name, as code.

    Returns:
        The call.
    """
    return call(f"op.{operation}", text(table.name), *arguments, schema=table.schema, **options)


def constraint(operation: str, name: str, table: Name, *arguments: str, **options: str) -> str:
    """A call of an operation on something of a table that has a name of its own.

    Args:
        operation: such as `validate_constraint_online`, whose first argument is the name.
        name: of the constraint or the index.
        table: the table.
        *arguments: the others, as code.
        **options: arguments by name, as code.

    Returns:
        The call.
    """
    named = (text(name), text(table.name))
    return call(f"op.{operation}", *named, *arguments, schema=table.schema, **options)


_TYPES = {
    "bigint": "sa.BigInteger()",
    "int8": "sa.BigInteger()",
    "bigserial": "sa.BigInteger()",
    "serial8": "sa.BigInteger()",
    "integer": "sa.Integer()",
    "int": "sa.Integer()",
    "int4": "sa.Integer()",
    "serial": "sa.Integer()",
    "serial4": "sa.Integer()",
    "smallint": "sa.SmallInteger()",
    "int2": "sa.SmallInteger()",
    "smallserial": "sa.SmallInteger()",
    "text": "sa.Text()",
    "boolean": "sa.Boolean()",
    "bool": "sa.Boolean()",
    "uuid": "sa.Uuid()",
    "date": "sa.Date()",
    "bytea": "sa.LargeBinary()",
    "json": "sa.JSON()",
    "jsonb": "postgresql.JSONB()",
    "inet": "postgresql.INET()",
    "citext": "postgresql.CITEXT()",
    "interval": "sa.Interval()",
    "real": "sa.Float(24)",
    "float4": "sa.Float(24)",
    "double precision": "sa.Double()",
    "float8": "sa.Double()",
    "timestamptz": "sa.DateTime(timezone=True)",
    "timestamp with time zone": "sa.DateTime(timezone=True)",
    "timestamp": "sa.DateTime()",
    "timestamp without time zone": "sa.DateTime()",
    "time": "sa.Time()",
    "time without time zone": "sa.Time()",
}
_SIZED = {
    "varchar": "sa.String",
    "character varying": "sa.String",
    "char": "sa.CHAR",
    "character": "sa.CHAR",
    "numeric": "sa.Numeric",
    "decimal": "sa.Numeric",
}


def column_type(sql: str, collation: str = "") -> str:
    """The type of SQLAlchemy for one of PostgreSQL.

    Args:
        sql: such as `varchar(30)`.
        collation: without quotes; empty if there is none.

    Returns:
        Code, with `sa` and `sqlalchemy.dialects.postgresql`; empty for types of the user.
    """
    reader = Reader(sql)
    name, size = " ".join(reader.until("(", "[").lower().split()), reader.group()
    if reader.take("[ ]"):
        inner = column_type(f"{name}({size})" if size else name)
        return f"postgresql.ARRAY({inner})" if inner else ""
    rest = " ".join(reader.rest().lower().split())
    if name in _SIZED:
        code = f"{_SIZED[name]}({size})"
    elif rest:  # timestamp(3) with time zone
        code = _TYPES.get(f"{name} {rest}", "")
    else:
        code = _TYPES.get(name, "")
    collated = f"collation={text(collation)}"
    if collation and code.startswith(("sa.Text", "sa.String", "sa.CHAR")):
        return code[:-1] + (", " if size else "") + collated + ")"
    return code
