"""Hazards 42 to 45: what the running version uses gets lost."""

from tests.kingpost.migrations.hazards.case import ADULTS, LINKED, READS, SHOP, Case

from kingpost.migrations.rehearsal.verdicts import Verdict

PAID = (
    SHOP
    + """
CREATE TYPE state AS ENUM ('open', 'paid');
ALTER TABLE orders ADD COLUMN state state NOT NULL DEFAULT 'open';
"""
)

CASES = (
    Case(
        "a column is dropped that is used",
        "ALTER TABLE users DROP COLUMN name;",
        Verdict.BREAKS_APP,
        42,
        undo="ALTER TABLE users ADD COLUMN name varchar(50);",
    ),
    Case(
        "a view is dropped that is used",
        "DROP VIEW adults;",
        Verdict.BREAKS_APP,
        42,
        schema=SHOP + ADULTS,
    ),
    Case(
        "a function is dropped that is used",
        "DROP FUNCTION one();",
        Verdict.BREAKS_APP,
        42,
        schema=SHOP + "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';",
        traffic="SELECT one();",
    ),
    Case(
        "a default is dropped that is used",
        "ALTER TABLE users ALTER COLUMN email DROP DEFAULT;",
        Verdict.BREAKS_APP,
        42,
        schema=SHOP + "ALTER TABLE users ALTER COLUMN email SET DEFAULT 'none';",
        traffic="INSERT INTO users (id, created_at) VALUES (-1, now());\n"
        "DELETE FROM users WHERE id = -1;",
    ),
    Case(
        "a column is renamed",
        "ALTER TABLE users RENAME COLUMN name TO full_name;",
        Verdict.BREAKS_APP,
        43,
        undo="ALTER TABLE users RENAME COLUMN full_name TO name;",
    ),
    Case(
        "a table is renamed",
        "ALTER TABLE users RENAME TO people;",
        Verdict.BREAKS_APP,
        43,
    ),
    Case(
        "a table moves to another schema",
        "CREATE SCHEMA shop; ALTER TABLE users SET SCHEMA shop;",
        Verdict.BREAKS_APP,
        43,
    ),
    Case(
        "a value of an enum is renamed",
        "ALTER TYPE state RENAME VALUE 'paid' TO 'settled';",
        Verdict.BREAKS_APP,
        43,
        schema=PAID,
        traffic="SELECT id FROM orders WHERE state = 'paid' LIMIT 1;",
    ),
    Case(
        "a table is dropped that refers to one that is used",
        "DROP TABLE orders;",
        Verdict.BRIEF_LOCK,
        44,
        schema=LINKED,
        traffic=READS,
    ),
    Case(
        "a table is dropped that is used",
        "DROP TABLE orders;",
        Verdict.BREAKS_APP,
        44,
        schema=LINKED,
    ),
    Case(
        "a foreign key is dropped",
        "ALTER TABLE orders DROP CONSTRAINT fk;",
        Verdict.BRIEF_LOCK,
        44,
        schema=LINKED,
    ),
    Case("a table is emptied", "TRUNCATE orders;", Verdict.UNSAFE_LOCK, 45),
    Case(
        "a table is emptied with what refers to it",
        "TRUNCATE users CASCADE;",
        Verdict.UNSAFE_LOCK,
        45,
        schema=LINKED,
        traffic="SELECT id, email FROM users WHERE id = 7;",
    ),
)
