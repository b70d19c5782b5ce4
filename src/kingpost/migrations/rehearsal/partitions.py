"""The leaves of partitioned tables, and what rows each of them takes."""

import re
from dataclasses import dataclass

from sqlalchemy import Connection

from kingpost.migrations.rehearsal.catalog import rows_of
from kingpost.migrations.rehearsal.relations import Check, Relation

_LEAVES = """
    SELECT c.oid, c.relkind = 'f' AS foreign,
           quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS quoted,
           pg_catalog.pg_get_partition_constraintdef(c.oid) AS condition
    FROM pg_catalog.pg_partition_tree({root}) tree
    JOIN pg_catalog.pg_class c ON c.oid = tree.relid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE tree.isleaf AND c.relkind <> 'p'
    ORDER BY tree.level, c.oid
"""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A table that rows are put into: a plain one, or a partition without partitions.

    Args:
        quoted: its name as SQL writes it, with the schema.
        bounds: condition on its rows; None for a plain table.
        hashed: whether the bounds are those of a hash, which no value can be chosen for.
    """

    quoted: str
    bounds: Check | None = None
    hashed: bool = False


def leaves(connection: Connection, table: Relation) -> tuple[Leaf, ...]:
    """Where the rows of a table are.

    Args:
        connection: to the database.
        table: a plain or partitioned one.

    Returns:
        The table itself, or its partitions, those of other servers left out.
    """
    if table.kind != "p":
        return (Leaf(table.quoted),)
    found = rows_of(connection, _LEAVES.format(root=table.oid))
    return tuple(_leaf(table, row.quoted, row.condition) for row in found if not row.foreign)


def _leaf(table: Relation, quoted: str, condition: str | None) -> Leaf:
    if not condition:
        return Leaf(quoted)  # a DEFAULT partition that has no other beside it
    columns = tuple(
        column.name
        for column in table.columns
        if re.search(rf"(?<![\w\"]){re.escape(column.name)}(?![\w\"])|{column.quoted}", condition)
    )
    return Leaf(quoted, Check("", columns, condition), "satisfies_hash_partition(" in condition)
