"""Hazards that the table does not have: more locks, more ways to break a version, ways back."""

from tests.kingpost.migrations.hazards.case import LINKED, READS, SHOP, SUMS, Case

from kingpost.migrations.rehearsal.verdicts import Verdict

SHOES = """
CREATE DOMAIN size AS int;
CREATE TABLE shoes (id bigint PRIMARY KEY, size size);
"""
UPSERT = """
INSERT INTO users (id, email, created_at) VALUES (7, 'a', now()) ON CONFLICT (id) DO NOTHING;
INSERT INTO users (id, email, created_at) VALUES (7, 'x', now()) ON CONFLICT (email) DO NOTHING;
"""
UNIQUE = SHOP + "CREATE UNIQUE INDEX one_email ON users (email);"
NOT_VALID = (
    "ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID;"
)
REFUSING = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
CREATE TRIGGER refused BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION refuse();
"""
EVENTS = """
CREATE TABLE events (id bigint NOT NULL, day date NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
"""
EVENT = """
INSERT INTO events VALUES (-1, '2025-02-03');
DELETE FROM events WHERE id = -1;
"""
LEVEL = "CREATE FUNCTION level(numeric) RETURNS int LANGUAGE sql AS 'SELECT 1';"

LOCKS = (
    Case(
        "a number from a sequence for each row",
        "CREATE SEQUENCE numbers;"
        "ALTER TABLE users ADD COLUMN number bigint DEFAULT nextval('numbers');",
        Verdict.UNSAFE_LOCK,
    ),
    Case(
        "a check of a domain that tables use",
        "ALTER DOMAIN size ADD CONSTRAINT positive CHECK (value > -99);",
        Verdict.UNSAFE_LOCK,
        schema=SHOES,
    ),
    Case(
        "a foreign key is validated while another table is locked",
        "BEGIN; ALTER TABLE users ADD COLUMN city text;"
        "ALTER TABLE orders VALIDATE CONSTRAINT fk; COMMIT;",
        Verdict.UNSAFE_LOCK,
        schema=SHOP + NOT_VALID,
    ),
    Case(
        "a materialized view is made while a table is locked",
        f"BEGIN; ALTER TABLE users ADD COLUMN city text; {SUMS} COMMIT;",
        Verdict.UNSAFE_LOCK,
    ),
    Case(
        "rows are counted under a lock that keeps writers out",
        "BEGIN; LOCK TABLE orders IN SHARE MODE; SELECT count(*) FROM orders; COMMIT;",
        Verdict.UNSAFE_LOCK,
    ),
    Case(
        "most rows are deleted",
        "DELETE FROM orders WHERE id % 10 <> 0;",
        Verdict.UNSAFE_LOCK,
    ),
    Case(
        "two halves of a table are updated in one transaction",
        "BEGIN; UPDATE users SET age = 1 WHERE id % 2 = 0;"
        "UPDATE users SET age = 1 WHERE id % 2 = 1; COMMIT;",
        Verdict.UNSAFE_LOCK,
    ),
    Case(
        "two changes of a table in one statement, one of them with a scan",
        "ALTER TABLE users ADD COLUMN city text, ALTER COLUMN name SET NOT NULL;",
        Verdict.UNSAFE_LOCK,
    ),
)

BREAKS = (
    Case(
        "a column more, and the version that runs reads all of them",
        "ALTER TABLE users ADD COLUMN city text;",
        Verdict.STALE_PLANS,
        traffic="SELECT * FROM users WHERE id = 7;",
    ),
    Case(
        "a column more, whose name is ambiguous then",
        "ALTER TABLE users ADD COLUMN note text;",
        Verdict.BREAKS_APP,
        traffic="SELECT note FROM orders JOIN users ON users.id = user_id WHERE user_id = 7;",
    ),
    Case(
        "a function more, which makes a call ambiguous",
        "CREATE FUNCTION level(numeric, int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 1';",
        Verdict.BREAKS_APP,
        schema=SHOP + LEVEL,
        traffic="SELECT level(id) FROM users WHERE id = 7;",
    ),
    Case(
        "a number becomes a text that nobody compares with numbers",
        "ALTER TABLE users ALTER COLUMN age TYPE text;",
        Verdict.BREAKS_APP,
        traffic="SELECT id FROM users WHERE age > 17 LIMIT 5;",
    ),
    Case(
        "a text gets shorter than what is written",
        "ALTER TABLE users ALTER COLUMN name TYPE varchar(8);",
        Verdict.BREAKS_APP,
        traffic="UPDATE users SET name = 'Wolfgang Amadeus' WHERE id = 7;",
    ),
    Case(
        "an index is dropped that ON CONFLICT needs",
        "DROP INDEX CONCURRENTLY one_email;",
        Verdict.BREAKS_APP,
        schema=UNIQUE,
        traffic=UPSERT,
    ),
    Case(
        "an identity that may not be given, and is",
        "ALTER TABLE orders ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY;",
        Verdict.BREAKS_APP,
    ),
    Case(
        "a foreign key for new rows that have none",
        NOT_VALID,
        Verdict.BREAKS_APP,
        traffic="INSERT INTO orders VALUES (-1, -1, 1, 'a');\nDELETE FROM orders WHERE id = -1;",
    ),
    Case("a trigger that refuses", REFUSING, Verdict.BREAKS_APP),
    Case(
        "a partition is detached that is written to",
        "ALTER TABLE events DETACH PARTITION events_2025 CONCURRENTLY;",
        Verdict.BREAKS_APP,
        schema=EVENTS,
        traffic=EVENT,
    ),
)

WAYS_BACK = (
    Case(
        "the way back fails",
        "ALTER TABLE users ADD COLUMN city text;",
        Verdict.NOT_REVERSIBLE,
        undo="ALTER TABLE users DROP COLUMN town;",
    ),
    Case(
        "the way back forgets a half",
        "ALTER TABLE users ADD COLUMN city text; CREATE TABLE cities (name text);",
        Verdict.NOT_REVERSIBLE,
        undo="ALTER TABLE users DROP COLUMN city;",
    ),
    Case(
        "the way back makes another constraint",
        "ALTER TABLE orders DROP CONSTRAINT fk;",
        Verdict.NOT_REVERSIBLE,
        schema=LINKED,
        undo="ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES users (id) "
        "ON DELETE CASCADE NOT VALID;",
    ),
    Case(
        "a column comes back empty",
        "ALTER TABLE users DROP COLUMN balance;",
        Verdict.LOSSY,
        traffic=READS,
        undo="ALTER TABLE users ADD COLUMN balance numeric(10, 2);",
    ),
    Case(
        "a table comes back empty",
        "DROP TABLE orders;",
        Verdict.LOSSY,
        schema="CREATE TABLE users (id bigint PRIMARY KEY, email text);"
        "CREATE TABLE orders (id bigint PRIMARY KEY);",
        traffic="SELECT email FROM users WHERE id = 7;",
        undo="CREATE TABLE orders (id bigint PRIMARY KEY);",
    ),
    Case(
        "a few rows do not come back",
        "DELETE FROM orders WHERE id <= 10;",
        Verdict.LOSSY,
        undo="SELECT 1;",
    ),
)

CASES = (*LOCKS, *BREAKS, *WAYS_BACK)
