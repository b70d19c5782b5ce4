"""What a rehearsal looks at before and after each statement, read from the catalog."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

OWN_TABLES = ("alembic_version", "kingpost_migration_steps")

# Tables, indexes, views and sequences of the user, with the rows that ANALYZE has counted.
_WORLD = """
SELECT c.oid::bigint, c.relkind::text,
       CASE WHEN n.nspname = 'public' THEN '' ELSE n.nspname || '.' END || c.relname,
       coalesce(i.indrelid, c.oid)::bigint, c.relispartition,
       (SELECT coalesce(sum(greatest(l.reltuples, 0)), 0)::bigint FROM pg_catalog.pg_class l
         WHERE l.relkind IN ('r', 'm') AND (l.oid = coalesce(i.indrelid, c.oid) OR l.oid IN (
           SELECT p.relid FROM pg_catalog.pg_partition_tree(coalesce(i.indrelid, c.oid)) p)))
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
  LEFT JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
 WHERE c.relkind IN ('r', 'p', 'i', 'I', 'm', 'v', 'S', 'f')
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND coalesce(t.relname, c.relname) NOT IN ('alembic_version', 'kingpost_migration_steps')
"""

# PostgreSQL, chapters 53.13 (pg_locks) and 27.2.26 (counters of the transaction).
_STATE = """
SELECT json_build_object(
  'writes', pg_current_xact_id_if_assigned() IS NOT NULL,
  'locks', (SELECT json_agg(json_build_array(l.relation::bigint, l.mode))
    FROM pg_catalog.pg_locks l
    WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.granted
      AND l.relation = ANY('{all}'::oid[])
      AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())),
  'counts', (SELECT json_agg(json_build_array(r, pg_stat_get_xact_tuples_returned(r::oid),
      pg_stat_get_xact_tuples_fetched(r::oid), pg_stat_get_xact_tuples_inserted(r::oid),
      pg_stat_get_xact_tuples_updated(r::oid), pg_stat_get_xact_tuples_deleted(r::oid)))
    FROM unnest('{stored}'::bigint[]) r),
  'files', (SELECT json_agg(json_build_array(c.oid::bigint, pg_relation_filenode(c.oid),
      c.relpersistence))
    FROM pg_catalog.pg_class c WHERE c.oid = ANY('{stored}'::oid[])),
  'indexes', (SELECT json_agg(json_build_array(i.indexrelid::bigint, i.indrelid::bigint,
      pg_relation_filenode(i.indexrelid), c.relname))
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = ANY('{stored}'::oid[]) AND c.relkind = 'i'))::text
"""

_INVALID = """
SELECT CASE WHEN n.nspname = 'public' THEN '' ELSE n.nspname || '.' END || c.relname
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT i.indisvalid AND n.nspname !~ '^pg_' AND c.relkind = 'i' ORDER BY 1
"""

_UNVALIDATED = """
SELECT CASE WHEN n.nspname = 'public' THEN '' ELSE n.nspname || '.' END || r.relname || '.'
       || c.conname
  FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace
 WHERE NOT c.convalidated AND {enforced} n.nspname !~ '^pg_'
   AND n.nspname <> 'information_schema' ORDER BY 1
"""

Fetch = Callable[[str], list[Any]]


@dataclass(frozen=True, slots=True)
class Known:
    """A relation that existed before the change.

    Args:
        oid: its number.
        kind: of `pg_class.relkind`.
        name: with the schema unless that is `public`.
        table: oid of its table if it is an index, else its own.
        partition: whether it is a partition of another.
        rows: of that table, before the change.
    """

    oid: int
    kind: str
    name: str
    table: int
    partition: bool
    rows: int


@dataclass(frozen=True, slots=True)
class World:
    """All that existed before the change."""

    relations: dict[int, Known]

    def having(self, kinds: str) -> tuple[Known, ...]:
        """The relations of some kinds, by name.

        Args:
            kinds: letters of `pg_class.relkind`.

        Returns:
            Those.
        """
        found = (known for known in self.relations.values() if known.kind in kinds)
        return tuple(sorted(found, key=lambda known: known.name))


@dataclass(frozen=True, slots=True)
class Counts:
    """What the transaction has done to a relation so far, in rows."""

    scanned: int = 0
    fetched: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    def since(self, before: "Counts") -> "Counts":
        """What came on top of an earlier count.

        Args:
            before: the earlier one.

        Returns:
            The difference, never below 0: TRUNCATE counts anew.
        """
        return Counts(
            max(0, self.scanned - before.scanned),
            max(0, self.fetched - before.fetched),
            max(0, self.inserted - before.inserted),
            max(0, self.updated - before.updated),
            max(0, self.deleted - before.deleted),
        )


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a table that existed before, whether or not it did itself."""

    oid: int
    table: int
    file: int
    name: str


@dataclass(frozen=True, slots=True)
class State:
    """What a session sees of its own transaction at one moment.

    Args:
        locks: modes that it holds, by relation.
        counts: by relation.
        files: storage and persistence, by relation.
        indexes: of the tables that existed before, by oid.
        writes: whether the transaction has changed anything; True outside of any.
    """

    locks: dict[int, frozenset[str]] = field(default_factory=dict)
    counts: dict[int, Counts] = field(default_factory=dict)
    files: dict[int, tuple[int, str]] = field(default_factory=dict)
    indexes: dict[int, Index] = field(default_factory=dict)
    writes: bool = False


def world(fetch: Fetch) -> World:
    """Looks at all that exists, before a change.

    Args:
        fetch: runs a query and returns its rows.

    Returns:
        The relations of the user.
    """
    return World({row[0]: Known(row[0], row[1], *row[2:6]) for row in fetch(_WORLD)})


def state(fetch: Fetch, known: World) -> State:
    """Looks at the transaction of a session.

    Args:
        fetch: runs a query in that session.
        known: what existed before the change.

    Returns:
        Its locks, its counters and the storage of what existed before.
    """
    stored = [relation.oid for relation in known.having("rim")]
    sql = _STATE.format(all=_array(known.relations), stored=_array(stored))
    read = {key: value or [] for key, value in json.loads(fetch(sql)[0][0]).items()}
    locks: dict[int, set[str]] = {}
    for oid, mode in read["locks"]:
        locks.setdefault(oid, set()).add(mode)
    return State(
        {oid: frozenset(modes) for oid, modes in locks.items()},
        {row[0]: Counts(*row[1:]) for row in read["counts"]},
        {oid: (file or 0, persistence) for oid, file, persistence in read["files"]},
        {row[0]: Index(row[0], row[1], row[2] or 0, row[3]) for row in read["indexes"]},
        bool(read["writes"]),
    )


def _array(oids: Iterable[int]) -> str:
    return "{" + ",".join(map(str, oids)) + "}"


def invalid(fetch: Fetch) -> tuple[str, ...]:
    """The INVALID indexes of the database.

    Args:
        fetch: runs a query.

    Returns:
        Their names.
    """
    return tuple(row[0] for row in fetch(_INVALID))


def unvalidated(fetch: Fetch) -> tuple[str, ...]:
    """The constraints of the database that are NOT VALID; those NOT ENFORCED never are valid.

    Args:
        fetch: runs a query.

    Returns:
        Their names, with the table.
    """
    enforced = fetch(
        "SELECT count(*) FROM pg_catalog.pg_attribute "
        "WHERE attrelid = 'pg_catalog.pg_constraint'::regclass AND attname = 'conenforced'"
    )
    condition = "c.conenforced AND" if enforced[0][0] else ""
    return tuple(row[0] for row in fetch(_UNVALIDATED.format(enforced=condition)))
