"""Rows, code and locks without work."""

from tests.kingpost.migrations.hazards.case import SHOP, Case

from kingpost.migrations.rehearsal.verdicts import Verdict

FUNCTION = """
CREATE OR REPLACE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
"""
TRIGGER = "CREATE TRIGGER stamped BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION stamp();"
BATCHES = """
DO $$
DECLARE
    at bigint := 0;
BEGIN
    WHILE at <= (SELECT max(id) FROM users) LOOP
        UPDATE users SET name = lower(name) WHERE id > at AND id <= at + 100;
        at := at + 100;
        COMMIT;
    END LOOP;
END
$$;
"""

CASES = (
    Case("a row more", "INSERT INTO users VALUES (-7, 'a', 'b', 1, 1, now());", Verdict.SAFE),
    Case("a row changed", "UPDATE users SET age = 7 WHERE id = 7;", Verdict.SAFE),
    Case("a row deleted", "DELETE FROM orders WHERE id = 7;", Verdict.SAFE),
    Case("a hundred rows by key", "UPDATE users SET age = 7 WHERE id <= 100;", Verdict.SAFE),
    Case("all rows in batches, each committed", BATCHES, Verdict.SAFE),
    Case("rows read", "SELECT count(*) FROM users;", Verdict.SAFE),
    Case("rows copied to a new table", "CREATE TABLE b AS TABLE users;", Verdict.SAFE),
    Case(
        "a lock, then rows in a transaction of their own",
        "BEGIN; ALTER TABLE users ADD COLUMN city text; COMMIT;"
        "UPDATE users SET city = 'x' WHERE id <= 100;",
        Verdict.BRIEF_LOCK,
    ),
    Case(
        "a limit for the wait, then a brief lock",
        "SET lock_timeout = '1s'; ALTER TABLE users ADD COLUMN city text; RESET lock_timeout;",
        Verdict.BRIEF_LOCK,
    ),
    Case("a bare lock", "BEGIN; LOCK TABLE users; COMMIT;", Verdict.BRIEF_LOCK),
    Case("a function", FUNCTION, Verdict.SAFE, undo="DROP FUNCTION stamp();"),
    Case(
        "a function replaced that a trigger calls",
        FUNCTION.replace("new;", "new /* again */;"),
        Verdict.SAFE,
        schema=SHOP + FUNCTION + TRIGGER,
    ),
    Case(
        "a trigger for new rows of a table",
        FUNCTION + TRIGGER,
        Verdict.BRIEF_LOCK,
        undo="DROP TRIGGER stamped ON users; DROP FUNCTION stamp();",
    ),
    Case(
        "a block of code adds a column unless it is there",
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_attribute WHERE attname = 'city') THEN "
        "ALTER TABLE users ADD COLUMN city text; END IF; END $$;",
        Verdict.BRIEF_LOCK,
    ),
    Case("nothing but settings", "SET statement_timeout = '5s'; SHOW work_mem;", Verdict.SAFE),
)
