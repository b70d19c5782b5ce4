"""What an earlier migration has left unfinished in a database."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

_SCHEMAS = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
_INVALID = text(f"""
    SELECT n.nspname, c.relname, i.indrelid::regclass::text,
        EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT (i.indisvalid AND i.indisready) AND {_SCHEMAS}
    ORDER BY 1, 2
""")  # noqa: S608 - from above
_UNVALIDATED = text(f"""
    SELECT n.nspname, k.conname, k.conrelid::regclass::text
    FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
    WHERE NOT k.convalidated AND k.conrelid <> 0 AND {_SCHEMAS}
    AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)
    ORDER BY 1, 2
""")  # noqa: S608 - from above; conenforced exists since PostgreSQL 18


@dataclass(frozen=True, slots=True)
class InvalidIndex:
    """An index that is kept up to date and used by nobody (`pg_index.indisvalid`).

    Attributes:
        name: of the index, with its schema if that is not `public`.
        table: its table.
        building: whether it is being built right now.
    """

    name: str
    table: str
    building: bool


@dataclass(frozen=True, slots=True)
class UnvalidatedConstraint:
    """A constraint that holds for new rows only (`pg_constraint.convalidated`).

    Attributes:
        name: of the constraint.
        table: its table.
    """

    name: str
    table: str


async def leftovers(engine: AsyncEngine) -> list[InvalidIndex | UnvalidatedConstraint]:
    """Looks for indexes and constraints that a migration has begun and not finished.

    Args:
        engine: of the database.

    Returns:
        All outside of the schemas of the system; constraints that are NOT ENFORCED are as wanted.
    """
    async with engine.connect() as connection:
        invalid = [
            InvalidIndex(_name(schema, name), table, building)
            for schema, name, table, building in await connection.execute(_INVALID)
        ]
        unvalidated = [
            UnvalidatedConstraint(name, table)
            for _, name, table in await connection.execute(_UNVALIDATED)
        ]
    return [*invalid, *unvalidated]


def _name(schema: str, name: str) -> str:
    return name if schema == "public" else f"{schema}.{name}"
