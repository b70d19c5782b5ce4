"""Tables, views, sequences, types, partitions and what belongs to them."""

from tests.kingpost.migrations.hazards.case import ADULTS, READS, SHOP, SUMS, Case, filled

from kingpost.migrations.rehearsal.verdicts import Verdict

EVENTS = """
CREATE TABLE events (id bigint NOT NULL, day date NOT NULL, kind text) PARTITION BY RANGE (day);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
"""
ROWS = filled("events_2025", "2025-01-01") + filled("events_2024", "2024-01-01")
TRAFFIC = """
SELECT id, kind FROM events WHERE day = '2025-02-03' LIMIT 5;
INSERT INTO events VALUES (-1, '2025-02-03', 'new');
DELETE FROM events WHERE day = '2025-02-03' AND id = -1;
"""
PROVEN = (
    EVENTS
    + """
CREATE TABLE events_2026 (
    id bigint NOT NULL, day date NOT NULL CHECK (day >= '2026-01-01' AND day < '2027-01-01'),
    kind text
);
"""
)
PROVEN_REST = (
    PROVEN
    + """
CREATE TABLE events_rest PARTITION OF events DEFAULT;
ALTER TABLE events_rest ADD CHECK (day < '2026-01-01' OR day >= '2027-01-01');
"""
)
ATTACH = """
ALTER TABLE events ATTACH PARTITION events_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
"""
SUMMED = SHOP + SUMS + "CREATE UNIQUE INDEX sums_user ON sums (user_id);"
COUNTER = "CREATE SEQUENCE counter; CREATE TABLE notes (id bigint PRIMARY KEY, body text);"
STATE = """
CREATE TYPE state AS ENUM ('open', 'paid');
CREATE TABLE bills (id bigint PRIMARY KEY, state state NOT NULL);
"""

CASES = (
    Case(
        "a table, and the way back",
        "CREATE TABLE pets (id bigint PRIMARY KEY, name text NOT NULL UNIQUE);",
        Verdict.SAFE,
        undo="DROP TABLE pets;",
    ),
    Case("a table like another", "CREATE TABLE old (LIKE users INCLUDING ALL);", Verdict.SAFE),
    Case("a table from a query", "CREATE TABLE copy AS SELECT id, name FROM users;", Verdict.SAFE),
    Case(
        "a table with rows in one transaction",
        "BEGIN; CREATE TABLE pets (id int); INSERT INTO pets SELECT generate_series(1, 2000);"
        "ALTER TABLE pets ADD PRIMARY KEY (id); TRUNCATE pets; COMMIT;",
        Verdict.SAFE,
    ),
    Case(
        "a table dropped that nobody uses", "DROP TABLE orders;", Verdict.BRIEF_LOCK, traffic=READS
    ),
    Case(
        "a table renamed, and a view instead of it",
        "BEGIN; ALTER TABLE users RENAME TO people;"
        "CREATE VIEW users AS SELECT * FROM people; COMMIT;",
        Verdict.BRIEF_LOCK,
        undo="BEGIN; DROP VIEW users; ALTER TABLE people RENAME TO users; COMMIT;",
    ),
    Case("a view", ADULTS, Verdict.SAFE, undo="DROP VIEW adults;"),
    Case(
        "a view dropped that nobody uses",
        "DROP VIEW adults;",
        Verdict.BRIEF_LOCK,
        schema=SHOP + ADULTS,
        traffic=READS,
    ),
    Case("a materialized view", SUMS, Verdict.SAFE, undo="DROP MATERIALIZED VIEW sums;"),
    Case(
        "a materialized view refreshed concurrently",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY sums;",
        Verdict.SAFE,
        schema=SUMMED,
        data="INSERT INTO orders SELECT n, n, n, 'a' FROM generate_series(1, 500) n;"
        "REFRESH MATERIALIZED VIEW sums; UPDATE orders SET total = total + 1;",
    ),
    Case("a sequence", "CREATE SEQUENCE counter;", Verdict.SAFE, undo="DROP SEQUENCE counter;"),
    Case(
        "a sequence gives more numbers at once",
        "ALTER SEQUENCE counter CACHE 20;",
        Verdict.BRIEF_LOCK,
        schema=COUNTER,
    ),
    Case("a schema", "CREATE SCHEMA shop;", Verdict.SAFE, undo="DROP SCHEMA shop;"),
    Case("a type", "CREATE TYPE mood AS ENUM ('calm');", Verdict.SAFE, undo="DROP TYPE mood;"),
    Case("a value for an enum", "ALTER TYPE state ADD VALUE 'lost';", Verdict.SAFE, schema=STATE),
    Case(
        "a value for an enum, used in the next transaction",
        "BEGIN; ALTER TYPE state ADD VALUE 'lost'; COMMIT;"
        "UPDATE bills SET state = 'lost' WHERE id = 7;",
        Verdict.SAFE,
        schema=STATE,
    ),
    Case("room in the pages of a table", "ALTER TABLE users SET (fillfactor = 80);", Verdict.SAFE),
    Case(
        "another pace of autovacuum",
        "ALTER TABLE users SET (autovacuum_vacuum_scale_factor = 0.01);",
        Verdict.SAFE,
    ),
    Case(
        "statistics of two columns",
        "CREATE STATISTICS linked ON name, age FROM users;",
        Verdict.SAFE,
    ),
    Case("statistics renewed", "ANALYZE users;", Verdict.SAFE),
    Case("a table vacuumed", "VACUUM users;", Verdict.SAFE),
    Case("a comment", "COMMENT ON COLUMN users.name IS 'in full';", Verdict.SAFE),
    Case("a right", "GRANT SELECT ON users TO pg_monitor;", Verdict.SAFE),
    Case(
        "what replicas know a row by",
        "ALTER TABLE users REPLICA IDENTITY FULL;",
        Verdict.BRIEF_LOCK,
    ),
    Case(
        "a partition without a default one beside it",
        "CREATE TABLE events_2026 PARTITION OF events "
        "FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');",
        Verdict.BRIEF_LOCK,
        schema=EVENTS,
        data=ROWS,
        traffic=TRAFFIC,
    ),
    Case(
        "a new table attached as a partition",
        "BEGIN; CREATE TABLE events_2026 (LIKE events);" + ATTACH + "COMMIT;",
        Verdict.SAFE,
        schema=EVENTS,
        data=ROWS,
        traffic=TRAFFIC,
    ),
    Case(
        "a partition attached with a proof",
        ATTACH,
        Verdict.BRIEF_LOCK,
        schema=PROVEN,
        data=ROWS + filled("events_2026", "2026-01-01"),
        traffic=TRAFFIC,
    ),
    Case(
        "a partition attached with a proof beside a default one with another",
        ATTACH,
        Verdict.BRIEF_LOCK,
        schema=PROVEN_REST,
        data=ROWS + filled("events_2026", "2026-01-01") + filled("events_rest", "2030-01-01"),
        traffic=TRAFFIC,
    ),
    Case(
        "a partition detached concurrently",
        "ALTER TABLE events DETACH PARTITION events_2024 CONCURRENTLY;",
        Verdict.SAFE,
        schema=EVENTS,
        data=ROWS,
        traffic=TRAFFIC,
    ),
)
