"""Hazards 9 to 23: new columns."""

from tests.kingpost.migrations.hazards.case import READS, SHOP, Case

from kingpost.migrations.rehearsal.verdicts import Verdict

GENERATED = SHOP + "ALTER TABLE users ADD COLUMN twice int GENERATED ALWAYS AS (age / 2) STORED;"

CASES = (
    Case(
        "a column is added",
        "ALTER TABLE users ADD COLUMN city text;",
        Verdict.BRIEF_LOCK,
        9,
        undo="ALTER TABLE users DROP COLUMN city;",
    ),
    Case(
        "a column with a constant default is added",
        "ALTER TABLE users ADD COLUMN level int NOT NULL DEFAULT 0;",
        Verdict.BRIEF_LOCK,
        10,
    ),
    Case(
        "a column with the time of now as default is added",
        "ALTER TABLE users ADD COLUMN seen_at timestamptz NOT NULL DEFAULT now();",
        Verdict.BRIEF_LOCK,
        11,
    ),
    Case(
        "a column with a random default is added",
        "ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid();",
        Verdict.UNSAFE_LOCK,
        12,
    ),
    Case(
        "a column with the time of the clock as default is added",
        "ALTER TABLE users ADD COLUMN seen_at timestamptz DEFAULT clock_timestamp();",
        Verdict.UNSAFE_LOCK,
        12,
    ),
    Case(
        "the default is a volatile function that is inlined",
        "ALTER TABLE users ADD COLUMN level int DEFAULT one();",
        Verdict.BRIEF_LOCK,
        13,
        schema=SHOP + "CREATE FUNCTION one() RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1';",
    ),
    Case(
        "the default is a volatile function in PL/pgSQL",
        "ALTER TABLE users ADD COLUMN level int DEFAULT one();",
        Verdict.UNSAFE_LOCK,
        14,
        schema=SHOP
        + "CREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';",
    ),
    Case(
        "a serial column is added",
        "ALTER TABLE users ADD COLUMN number bigserial;",
        Verdict.UNSAFE_LOCK,
        15,
    ),
    Case(
        "an identity column is added",
        "ALTER TABLE users ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;",
        Verdict.UNSAFE_LOCK,
        15,
    ),
    Case(
        "a stored generated column is added",
        "ALTER TABLE users ADD COLUMN lower text GENERATED ALWAYS AS (lower(email)) STORED;",
        Verdict.UNSAFE_LOCK,
        16,
    ),
    Case(
        "a virtual generated column is added",
        "ALTER TABLE users ADD COLUMN lower text GENERATED ALWAYS AS (lower(email)) VIRTUAL;",
        Verdict.BRIEF_LOCK,
        17,
        since=18,
    ),
    Case(
        "a stored column is generated otherwise",
        "ALTER TABLE users ALTER COLUMN twice SET EXPRESSION AS (age / 3);",
        Verdict.UNSAFE_LOCK,
        18,
        schema=GENERATED,
        since=17,
    ),
    Case(
        "a column that has to be given and has no default is added",
        "ALTER TABLE users ADD COLUMN city text NOT NULL;",
        Verdict.ERROR,
        19,
    ),
    Case(
        "a column is added that a check asks new rows for",
        "ALTER TABLE users ADD COLUMN city text;"
        "ALTER TABLE users ADD CONSTRAINT has_city CHECK (city IS NOT NULL) NOT VALID;",
        Verdict.BREAKS_APP,
        19,
    ),
    Case(
        "a column with a check is added",
        "ALTER TABLE users ADD COLUMN level int CHECK (level > 0);",
        Verdict.UNSAFE_LOCK,
        20,
    ),
    Case(
        "a column with a foreign key is added",
        "ALTER TABLE orders ADD COLUMN seller_id bigint REFERENCES users (id);",
        Verdict.BRIEF_LOCK,
        21,
    ),
    Case(
        "a unique column is added",
        "ALTER TABLE users ADD COLUMN token int UNIQUE;",
        Verdict.UNSAFE_LOCK,
        22,
    ),
    Case(
        "a column of a domain with a check is added",
        "ALTER TABLE users ADD COLUMN level positive;",
        Verdict.UNSAFE_LOCK,
        23,
        schema=SHOP + "CREATE DOMAIN positive AS int CHECK (value > 0);",
        traffic=READS,
    ),
)
