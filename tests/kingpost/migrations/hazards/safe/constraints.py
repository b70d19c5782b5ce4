"""Constraints in two steps."""

from tests.kingpost.migrations.hazards.case import LINKED, SHOP, Case

from kingpost.migrations.rehearsal.verdicts import Verdict

CHECK = "ALTER TABLE users ADD CONSTRAINT filled CHECK (email <> '!')"
FOREIGN_KEY = "ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES users (id)"
PRESENT = "ALTER TABLE users ADD CONSTRAINT named CHECK (name IS NOT NULL)"
NOT_NULL = "ALTER TABLE users ADD CONSTRAINT named NOT NULL name NOT VALID;"

CASES = (
    Case(
        "a check for new rows, and the way back",
        f"{CHECK} NOT VALID;",
        Verdict.BRIEF_LOCK,
        undo="ALTER TABLE users DROP CONSTRAINT filled;",
    ),
    Case(
        "a check validated",
        "ALTER TABLE users VALIDATE CONSTRAINT filled;",
        Verdict.SAFE,
        schema=f"{SHOP}{CHECK} NOT VALID;",
    ),
    Case(
        "a check for new rows, then validated by itself",
        f"{CHECK} NOT VALID; ALTER TABLE users VALIDATE CONSTRAINT filled;",
        Verdict.BRIEF_LOCK,
    ),
    Case(
        "a check dropped",
        "ALTER TABLE users DROP CONSTRAINT filled;",
        Verdict.BRIEF_LOCK,
        schema=f"{SHOP}{CHECK};",
    ),
    Case(
        "a check that nobody enforces",
        f"{CHECK} NOT ENFORCED;",
        Verdict.BRIEF_LOCK,
        since=18,
    ),
    Case("a foreign key for new rows", f"{FOREIGN_KEY} NOT VALID;", Verdict.BRIEF_LOCK),
    Case(
        "a foreign key for new rows, then validated by itself",
        f"{FOREIGN_KEY} NOT VALID; ALTER TABLE orders VALIDATE CONSTRAINT fk;",
        Verdict.BRIEF_LOCK,
        undo="ALTER TABLE orders DROP CONSTRAINT fk;",
    ),
    Case(
        "a foreign key validated in a transaction of its own",
        "BEGIN; ALTER TABLE orders VALIDATE CONSTRAINT fk; COMMIT;",
        Verdict.SAFE,
        schema=f"{SHOP}{FOREIGN_KEY} NOT VALID;",
    ),
    Case(
        "a foreign key that nobody enforces",
        f"{FOREIGN_KEY} NOT ENFORCED;",
        Verdict.BRIEF_LOCK,
        since=18,
    ),
    Case(
        "a foreign key checked at the end of a transaction",
        "ALTER TABLE orders ALTER CONSTRAINT fk DEFERRABLE INITIALLY DEFERRED;",
        Verdict.BRIEF_LOCK,
        schema=LINKED,
    ),
    Case(
        "a constraint renamed",
        "ALTER TABLE orders RENAME CONSTRAINT fk TO orders_user;",
        Verdict.BRIEF_LOCK,
        schema=LINKED,
    ),
    Case(
        "a unique constraint from an index",
        "CREATE UNIQUE INDEX CONCURRENTLY one_email ON users (email);"
        "ALTER TABLE users ADD CONSTRAINT one_email UNIQUE USING INDEX one_email;",
        Verdict.BRIEF_LOCK,
    ),
    Case(
        "a primary key from an index",
        "ALTER TABLE tags ADD PRIMARY KEY USING INDEX tags_id;",
        Verdict.BRIEF_LOCK,
        schema="CREATE TABLE tags (id bigint NOT NULL, label text);"
        "CREATE UNIQUE INDEX tags_id ON tags (id);",
    ),
    Case(
        "NOT NULL in steps with a check",
        f"{PRESENT} NOT VALID; ALTER TABLE users VALIDATE CONSTRAINT named;"
        "ALTER TABLE users ALTER COLUMN name SET NOT NULL;"
        "ALTER TABLE users DROP CONSTRAINT named;",
        Verdict.BRIEF_LOCK,
    ),
    Case(
        "NOT NULL proven, and the check dropped in the same transaction",
        "BEGIN; ALTER TABLE users ALTER COLUMN name SET NOT NULL;"
        "ALTER TABLE users DROP CONSTRAINT named; COMMIT;",
        Verdict.BRIEF_LOCK,
        schema=f"{SHOP}{PRESENT};",
    ),
    Case("NOT NULL for new rows", NOT_NULL, Verdict.BRIEF_LOCK, since=18),
    Case(
        "NOT NULL for new rows, then validated by itself",
        f"{NOT_NULL} ALTER TABLE users VALIDATE CONSTRAINT named;",
        Verdict.BRIEF_LOCK,
        since=18,
    ),
    Case(
        "a check of a domain for new rows",
        "ALTER DOMAIN size ADD CONSTRAINT positive CHECK (value > -99) NOT VALID;",
        Verdict.SAFE,
        schema="CREATE DOMAIN size AS int; CREATE TABLE shoes (id bigint PRIMARY KEY, size size);",
    ),
)
