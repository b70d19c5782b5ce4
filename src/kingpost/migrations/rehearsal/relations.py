"""Tables, columns, keys and types as data; `catalog` reads them from a database."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Type:
    """A type of the database.

    Args:
        oid: its number.
        name: as in `pg_type`, such as `int4`.
        shown: as SQL writes it, with its schema where it needs one.
        kind: of `pg_type.typtype`: b, c, d, e, m, p or r.
        base: of a domain, else 0.
        base_modifier: of a domain.
        element: of an array, else 0.
        row: the relation of a composite type, else 0.
        subtype: of a range, else 0.
        range: of a multirange, else 0.
        labels: number of an enumeration's labels.
        checks: definitions of a domain's constraints.
    """

    oid: int
    name: str
    shown: str
    kind: str
    base: int = 0
    base_modifier: int = -1
    element: int = 0
    row: int = 0
    subtype: int = 0
    range: int = 0
    labels: int = 0
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Args:
        name: its name.
        quoted: its name as SQL writes it.
        number: its position, from 1.
        type: oid of its type.
        modifier: of the type, such as a length; -1 without one.
        shown: the type as SQL writes it.
        nullable: whether it takes NULL.
        default: expression; empty without one.
        identity: `a` for ALWAYS, `d` for BY DEFAULT, else empty.
        generated: whether it is computed from others.
    """

    name: str
    quoted: str
    number: int
    type: int
    modifier: int
    shown: str
    nullable: bool
    default: str = ""
    identity: str = ""
    generated: bool = False

    @property
    def numbers_itself(self) -> bool:
        """Whether PostgreSQL gives it the next number of a sequence."""
        return bool(self.identity) or self.default.startswith("nextval(")


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A reference.

    Args:
        columns: of this table.
        target: oid of the table referred to.
        target_columns: of that table, in the same order.
        full: True for MATCH FULL.
    """

    columns: tuple[str, ...]
    target: int
    target_columns: tuple[str, ...]
    full: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """A condition that each row meets.

    Args:
        name: of the constraint.
        columns: that it speaks of.
        condition: as SQL.
    """

    name: str
    columns: tuple[str, ...]
    condition: str


@dataclass(frozen=True, slots=True)
class Key:
    """Columns that no two rows share.

    Args:
        columns: their names; those of an expression are missing.
        primary: whether it is the primary key.
        whole: False if it has expressions, a condition or excludes more than equal values.
    """

    columns: tuple[str, ...]
    primary: bool
    whole: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view.

    Args:
        oid: its number.
        quoted: its name as SQL writes it, with the schema.
        shown: its name for people, with the schema unless that is `public`.
        kind: of `pg_class.relkind`: r, p, v or m.
        partition: whether it is a partition of another.
        columns: in order.
        keys: unique ones, the primary key first.
        checks: of its rows.
        references: to other tables.
    """

    oid: int
    quoted: str
    shown: str
    kind: str
    partition: bool
    columns: tuple[Column, ...] = ()
    keys: tuple[Key, ...] = ()
    checks: tuple[Check, ...] = ()
    references: tuple[ForeignKey, ...] = ()

    def column(self, name: str) -> Column:
        """The column of this name."""
        return next(column for column in self.columns if column.name == name)


def quote(name: str) -> str:
    """An identifier as SQL writes it (PostgreSQL, chapter 4.1.1)."""
    return '"' + name.replace('"', '""') + '"'
