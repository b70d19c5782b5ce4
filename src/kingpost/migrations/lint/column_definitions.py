"""What a statement says of a new column, or of a foreign key."""

from dataclasses import dataclass
from functools import partial

from kingpost.migrations.lint.reader import Name, Reader, names

_CLAUSES = (
    "CONSTRAINT",
    "NOT",
    "NULL",
    "DEFAULT",
    "CHECK",
    "UNIQUE",
    "PRIMARY",
    "REFERENCES",
    "GENERATED",
    "COLLATE",
    "STORAGE",
    "COMPRESSION",
    "DEFERRABLE",
    "INITIALLY",
    "ENFORCED",
)
_SERIALS = {"serial", "serial4", "bigserial", "serial8", "smallserial", "serial2"}
_STABLE = {
    "now",
    "transaction_timestamp",
    "statement_timestamp",
    "current_setting",
    "lower",
    "upper",
}


@dataclass(slots=True)
class Reference:
    """Where a foreign key points to.

    Args:
        table: the other one.
        columns: of it; none for its primary key.
        options: of `op.create_foreign_key`, as code.
        enforced: False if it says NOT ENFORCED.
    """

    table: Name
    columns: list[str]
    options: dict[str, str]
    enforced: bool = True


@dataclass(slots=True)
class NewColumn:
    """A column of ADD COLUMN.

    Args:
        name: without quotes.
        type: as it stands in SQL.
        default: in SQL; empty if there is none.
        not_null: whether it says so.
        check: the condition; empty if there is none.
        constraint: name of its constraint; empty if it has none.
        unique: whether it says so.
        primary_key: the same.
        identity: the same.
        stored: the expression, if it is generated and stored.
        virtual: True if it is generated and not stored.
        reference: of its foreign key.
        collation: without quotes; empty if there is none.
    """

    name: str
    type: str
    default: str = ""
    not_null: bool = False
    check: str = ""
    constraint: str = ""
    unique: bool = False
    primary_key: bool = False
    identity: bool = False
    stored: str = ""
    virtual: bool = False
    reference: Reference | None = None
    collation: str = ""

    @property
    def serial(self) -> bool:
        """Whether it gets its numbers from a sequence of its own."""
        return self.type.lower() in _SERIALS or self.identity

    @property
    def volatile(self) -> bool:
        """Whether its default calls what may differ from row to row."""
        reader, called = Reader(self.default), ""
        while not reader.done:
            if reader.word == "(" and called and called not in _STABLE:
                return True
            called = reader.name().name or (reader.one() and "")
        return False


def column(reader: Reader) -> NewColumn:
    """Reads the definition of a column.

    Args:
        reader: before its name.

    Returns:
        What it says.
    """
    found = NewColumn(reader.name().name, reader.until(*_CLAUSES))
    while not reader.done:
        _read_clause(reader, found)
    return found


def _read_clause(reader: Reader, found: NewColumn) -> None:
    if reader.take("CONSTRAINT"):
        found.constraint = reader.name().name
    elif reader.take("NOT NULL"):
        found.not_null = True
    elif reader.take("DEFAULT"):
        found.default = " ".join([reader.one(), reader.until(*_CLAUSES)]).strip()
        found.default = found.default.replace(" (", "(", 1)
    elif reader.take("CHECK"):
        found.check = reader.group()
    elif reader.take("UNIQUE"):
        found.unique = True
    elif reader.take("PRIMARY KEY"):
        found.primary_key = True
    elif reader.take("REFERENCES"):
        found.reference = reference(reader)
    elif reader.take("COLLATE"):
        found.collation = reader.name().name
    elif reader.take("GENERATED"):
        _read_generated(reader, found)
    else:
        reader.one()


def _read_generated(reader: Reader, found: NewColumn) -> None:
    reader.skip("ALWAYS", "BY DEFAULT")
    reader.take("AS")
    if reader.take("IDENTITY"):
        found.identity = True
        return
    expression = reader.group()
    if reader.take("STORED"):
        found.stored = expression
    else:
        found.virtual = True


def reference(reader: Reader) -> Reference:
    """Reads what follows REFERENCES.

    Args:
        reader: before the name of the table.

    Returns:
        What it says.
    """
    found = Reference(reader.name(), names(reader.group()), {})
    keep = partial(_keep, reader, found.options)
    while not reader.done and reader.word not in {",", "CHECK", "UNIQUE", "DEFAULT", "CONSTRAINT"}:
        if reader.take("NOT ENFORCED"):
            found.enforced = False
        elif not (
            keep("ON DELETE", "ondelete")
            or keep("ON UPDATE", "onupdate")
            or keep("MATCH", "match")
            or keep("INITIALLY", "initially")
        ):
            _read_deferrable(reader, found.options)
    return found


def _keep(reader: Reader, options: dict[str, str], words: str, option: str) -> bool:
    if not reader.take(words):
        return False
    value = reader.one().upper()
    value += f" {reader.one().upper()}" if value in {"SET", "NO"} else ""
    options[option] = f'"{value}"'
    return True


def _read_deferrable(reader: Reader, options: dict[str, str]) -> None:
    if not reader.take("NOT DEFERRABLE") and reader.one().upper() == "DEFERRABLE":
        options["deferrable"] = "True"
