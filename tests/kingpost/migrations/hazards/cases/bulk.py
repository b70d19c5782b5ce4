"""Hazards 50 to 56: rewrites, many rows, and what happens between statements."""

from tests.kingpost.migrations.hazards.case import READS, SHOP, SUMS, Case

from kingpost.migrations.rehearsal.verdicts import Verdict

ORDERS = """
INSERT INTO orders SELECT n, n, n, 'note' FROM generate_series(1, 500) n;
REFRESH MATERIALIZED VIEW sums;
"""
FUNCTION = (
    SHOP
    + """
CREATE FUNCTION change() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    ALTER TABLE users ALTER COLUMN age TYPE bigint;
END
$$;
"""
)

CASES = (
    Case("a table is no longer logged", "ALTER TABLE users SET UNLOGGED;", Verdict.UNSAFE_LOCK, 50),
    Case(
        "a table is logged from now on",
        "ALTER TABLE drafts SET LOGGED;",
        Verdict.UNSAFE_LOCK,
        50,
        schema="CREATE UNLOGGED TABLE drafts (id bigint PRIMARY KEY, body text);",
    ),
    Case("a table is vacuumed in full", "VACUUM FULL users;", Verdict.UNSAFE_LOCK, 50),
    Case("a table is clustered", "CLUSTER users USING users_pkey;", Verdict.UNSAFE_LOCK, 50),
    Case(
        "a materialized view is refreshed",
        "REFRESH MATERIALIZED VIEW sums;",
        Verdict.UNSAFE_LOCK,
        51,
        schema=SHOP + SUMS,
        data=ORDERS,
    ),
    Case(
        "all rows are updated",
        "UPDATE users SET name = lower(name);",
        Verdict.UNSAFE_LOCK,
        52,
    ),
    Case("all rows are deleted", "DELETE FROM orders;", Verdict.UNSAFE_LOCK, 52),
    Case(
        "rows of another table are updated under a lock",
        "BEGIN; ALTER TABLE users ADD COLUMN city text; "
        "UPDATE orders SET note = 'x' WHERE id % 10 = 0; COMMIT;",
        Verdict.UNSAFE_LOCK,
        53,
    ),
    Case(
        "rows of another table are read under a lock",
        "BEGIN; ALTER TABLE users ADD COLUMN city text; "
        "CREATE TABLE report AS SELECT user_id, count(*) FROM orders GROUP BY user_id; COMMIT;",
        Verdict.UNSAFE_LOCK,
        53,
    ),
    Case(
        "an index of another table is built under a lock",
        "BEGIN; ALTER TABLE users ADD COLUMN city text; "
        "CREATE INDEX orders_user ON orders (user_id); COMMIT;",
        Verdict.UNSAFE_LOCK,
        53,
    ),
    Case(
        "two tables are locked in one transaction",
        "BEGIN; ALTER TABLE orders ADD COLUMN place text; "
        "ALTER TABLE users ADD COLUMN place text; COMMIT;",
        Verdict.BRIEF_LOCK,
        54,
    ),
    Case(
        "a block of code builds an index",
        "DO $$ BEGIN EXECUTE 'CREATE INDEX users_name ON users (name)'; END $$;",
        Verdict.UNSAFE_LOCK,
        55,
    ),
    Case("a function changes a type", "SELECT change();", Verdict.UNSAFE_LOCK, 55, schema=FUNCTION),
    Case(
        "a block of code drops a column that is used",
        "DO $$ BEGIN EXECUTE 'ALTER TABLE users DROP COLUMN email'; END $$;",
        Verdict.BREAKS_APP,
        55,
        traffic=READS,
    ),
    Case(
        "a brief lock without a limit for its wait",
        "ALTER TABLE users ALTER COLUMN name SET DEFAULT 'nobody';",
        Verdict.BRIEF_LOCK,
        56,
        undo="ALTER TABLE users ALTER COLUMN name DROP DEFAULT;",
    ),
)
