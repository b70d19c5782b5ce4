"""Hazards 24 to 35: constraints."""

from tests.kingpost.migrations.hazards.case import SHOP, Case

from kingpost.migrations.rehearsal.verdicts import Verdict

FOREIGN_KEY = "ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES users (id)"
CHECK = "ALTER TABLE users ADD CONSTRAINT email_given CHECK (email <> '')"
PRESENT = "ALTER TABLE users ADD CONSTRAINT named CHECK (name IS NOT NULL)"
SPANS = """
INSERT INTO bookings
SELECT n, daterange(date '2026-01-01' + 2 * n, date '2026-01-02' + 2 * n)
FROM generate_series(1, 100) n;
"""

CASES = (
    Case("a foreign key is added", f"{FOREIGN_KEY};", Verdict.UNSAFE_LOCK, 24),
    Case(
        "a foreign key is added and validated in one transaction",
        f"BEGIN; {FOREIGN_KEY} NOT VALID; ALTER TABLE orders VALIDATE CONSTRAINT fk; COMMIT;",
        Verdict.UNSAFE_LOCK,
        25,
    ),
    Case(
        "a foreign key is validated",
        "ALTER TABLE orders VALIDATE CONSTRAINT fk;",
        Verdict.SAFE,
        26,
        schema=f"{SHOP}{FOREIGN_KEY} NOT VALID;",
    ),
    Case(
        "a new table refers to one that is used",
        "CREATE TABLE pets (id bigint PRIMARY KEY, user_id bigint REFERENCES users (id));",
        Verdict.BRIEF_LOCK,
        27,
        undo="DROP TABLE pets;",
    ),
    Case("a check is added", f"{CHECK};", Verdict.UNSAFE_LOCK, 28),
    Case(
        "a check is added that the running version does not keep",
        "ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17) NOT VALID;",
        Verdict.BREAKS_APP,
        28,
        traffic="UPDATE users SET age = 12 WHERE id = 7;",
    ),
    Case(
        "a check is added and validated in one transaction",
        f"BEGIN; {CHECK} NOT VALID; ALTER TABLE users VALIDATE CONSTRAINT email_given; COMMIT;",
        Verdict.UNSAFE_LOCK,
        29,
    ),
    Case(
        "a column has to be given from now on",
        "ALTER TABLE users ALTER COLUMN name SET NOT NULL;",
        Verdict.UNSAFE_LOCK,
        30,
    ),
    Case(
        "a column has to be given that the running version does not give",
        "ALTER TABLE users ALTER COLUMN name SET NOT NULL;",
        Verdict.BREAKS_APP,
        30,
        traffic="INSERT INTO users (id, email, created_at) VALUES (-1, 'a', now());\n"
        "DELETE FROM users WHERE id = -1;",
    ),
    Case(
        "a column has to be given and a check proves that it is",
        "ALTER TABLE users ALTER COLUMN name SET NOT NULL;",
        Verdict.BRIEF_LOCK,
        31,
        schema=f"{SHOP}{PRESENT};",
    ),
    Case(
        "a column has to be given and a check that is NOT VALID proves nothing",
        "ALTER TABLE users ALTER COLUMN name SET NOT NULL;",
        Verdict.UNSAFE_LOCK,
        32,
        schema=f"{SHOP}{PRESENT} NOT VALID;",
    ),
    Case(
        "a column has to be given and a check that NULL passes proves nothing",
        "ALTER TABLE users ALTER COLUMN age SET NOT NULL;",
        Verdict.UNSAFE_LOCK,
        32,
        schema=SHOP + "ALTER TABLE users ADD CHECK (age >= 0);",
    ),
    Case(
        "a column becomes unique",
        "ALTER TABLE users ADD CONSTRAINT one_email UNIQUE (email);",
        Verdict.UNSAFE_LOCK,
        33,
    ),
    Case(
        "an index of a nullable column becomes the primary key",
        "ALTER TABLE tags ADD PRIMARY KEY USING INDEX tags_id;",
        Verdict.UNSAFE_LOCK,
        34,
        schema="CREATE TABLE tags (id bigint, label text);"
        "CREATE UNIQUE INDEX tags_id ON tags (id);",
    ),
    Case(
        "an exclusion constraint is added",
        "ALTER TABLE bookings ADD EXCLUDE USING gist (span WITH &&);",
        Verdict.UNSAFE_LOCK,
        35,
        schema="CREATE TABLE bookings (id bigint PRIMARY KEY, span daterange NOT NULL);",
        data=SPANS,
        traffic="SELECT id, span FROM bookings WHERE id = 7;",
    ),
)
