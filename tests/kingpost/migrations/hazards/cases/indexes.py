"""Hazards 1 to 8: indexes."""

from tests.kingpost.migrations.hazards.case import SHOP, Case

from kingpost.migrations.rehearsal.verdicts import Verdict

TWINS = """
INSERT INTO users SELECT n, 'same', 'n' || n, n, n, '2026-01-01' FROM generate_series(1, 50) n;
"""

INVALID = (
    SHOP
    + """
CREATE UNIQUE INDEX users_email ON users (email);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'users_email'::regclass;
"""
)

PARTITIONED = """
CREATE TABLE events (id bigint, day date, kind text) PARTITION BY RANGE (day);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
"""

CASES = (
    Case(
        "an index is built",
        "CREATE INDEX users_name ON users (name);",
        Verdict.UNSAFE_LOCK,
        1,
        undo="DROP INDEX users_name;",
    ),
    Case(
        "a unique index is built",
        "CREATE UNIQUE INDEX users_email ON users (email);",
        Verdict.UNSAFE_LOCK,
        1,
    ),
    Case(
        "an index of each partition is built",
        "CREATE INDEX events_kind ON events (kind);",
        Verdict.UNSAFE_LOCK,
        1,
        schema=PARTITIONED,
    ),
    Case(
        "an index is built concurrently inside of a transaction",
        "BEGIN; CREATE INDEX CONCURRENTLY users_name ON users (name); COMMIT;",
        Verdict.ERROR,
        2,
    ),
    Case(
        "a unique index is built concurrently over duplicates",
        "CREATE UNIQUE INDEX CONCURRENTLY users_email ON users (email);",
        Verdict.PARTIAL,
        3,
        data=TWINS,
    ),
    Case(
        "an INVALID index is taken for a good one",
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS users_email ON users (email);",
        Verdict.PARTIAL,
        4,
        schema=INVALID,
    ),
    Case(
        "an index is built concurrently, whoever else waits for an advisory lock",
        "CREATE INDEX CONCURRENTLY users_name ON users (name);",
        Verdict.SAFE,
        5,
    ),
    Case(
        "an index of a partitioned table is built concurrently",
        "CREATE INDEX CONCURRENTLY events_kind ON events (kind);",
        Verdict.ERROR,
        6,
        schema=PARTITIONED,
    ),
    Case(
        "an index is dropped",
        "DROP INDEX users_name;",
        Verdict.BRIEF_LOCK,
        7,
        schema=SHOP + "CREATE INDEX users_name ON users (name);",
    ),
    Case(
        "an index is built anew",
        "REINDEX INDEX users_pkey;",
        Verdict.UNSAFE_LOCK,
        8,
    ),
    Case(
        "all indexes of a table are built anew",
        "REINDEX TABLE users;",
        Verdict.UNSAFE_LOCK,
        8,
    ),
)
