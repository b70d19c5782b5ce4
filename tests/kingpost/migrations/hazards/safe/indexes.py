"""Indexes without anybody waiting."""

from tests.kingpost.migrations.hazards.case import SHOP, Case

from kingpost.migrations.rehearsal.verdicts import Verdict

INDEXED = SHOP + "CREATE INDEX users_name ON users (name);"
INVALID = (
    INDEXED
    + """
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'users_name'::regclass;
"""
)
PARTITIONED = """
CREATE TABLE events (id bigint, day date, kind text) PARTITION BY RANGE (day);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
"""
ONLY = PARTITIONED + "CREATE INDEX events_kind ON ONLY events (kind);"


def _concurrently(what: str) -> str:
    return f"CREATE INDEX CONCURRENTLY extra ON users {what};"


CASES = (
    Case(
        "an index concurrently, and the way back",
        _concurrently("(name)"),
        Verdict.SAFE,
        undo="DROP INDEX CONCURRENTLY extra;",
    ),
    Case("a partial index concurrently", _concurrently("(name) WHERE age > 17"), Verdict.SAFE),
    Case("an index of an expression concurrently", _concurrently("(lower(name))"), Verdict.SAFE),
    Case("a covering index concurrently", _concurrently("(name) INCLUDE (age)"), Verdict.SAFE),
    Case("a hash index concurrently", _concurrently("USING hash (name)"), Verdict.SAFE),
    Case(
        "a unique index concurrently",
        "CREATE UNIQUE INDEX CONCURRENTLY extra ON users (email);",
        Verdict.SAFE,
    ),
    Case(
        "an index dropped concurrently",
        "DROP INDEX CONCURRENTLY users_name;",
        Verdict.SAFE,
        schema=INDEXED,
    ),
    Case(
        "an index built anew concurrently",
        "REINDEX INDEX CONCURRENTLY users_name;",
        Verdict.SAFE,
        schema=INDEXED,
    ),
    Case(
        "all indexes of a table built anew concurrently",
        "REINDEX TABLE CONCURRENTLY users;",
        Verdict.SAFE,
        schema=INDEXED,
    ),
    Case(
        "an INVALID index replaced",
        "DROP INDEX CONCURRENTLY IF EXISTS users_name;"
        "CREATE INDEX CONCURRENTLY users_name ON users (name);",
        Verdict.SAFE,
        schema=INVALID,
    ),
    Case(
        "an INVALID index repaired",
        "REINDEX INDEX CONCURRENTLY users_name;",
        Verdict.SAFE,
        schema=INVALID,
    ),
    Case(
        "an index renamed",
        "ALTER INDEX users_name RENAME TO users_by_name;",
        Verdict.SAFE,
        schema=INDEXED,
    ),
    Case(
        "an index of a new table",
        "BEGIN; CREATE TABLE pets (id bigint, name text); CREATE INDEX ON pets (name); COMMIT;",
        Verdict.SAFE,
        undo="DROP TABLE pets;",
    ),
    Case(
        "an index of a partitioned table without its partitions",
        "CREATE INDEX events_kind ON ONLY events (kind);",
        Verdict.BRIEF_LOCK,
        schema=PARTITIONED,
    ),
    Case(
        "an index of a partition concurrently",
        "CREATE INDEX CONCURRENTLY events_2025_kind ON events_2025 (kind);",
        Verdict.SAFE,
        schema=ONLY,
    ),
)
