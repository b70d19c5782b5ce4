"""Hazards 36 to 41: types of columns."""

from tests.kingpost.migrations.hazards.case import ADULTS, SHOP, SUMS, Case

from kingpost.migrations.rehearsal.verdicts import Verdict

CODES = "CREATE TABLE codes (id int PRIMARY KEY, code char(8) NOT NULL, label text);"


def _typed(column: str, shown: str) -> str:
    return f"ALTER TABLE users ALTER COLUMN {column} TYPE {shown};"


CASES = (
    Case("varchar gets longer", _typed("name", "varchar(100)"), Verdict.STALE_PLANS, 36),
    Case("varchar becomes text", _typed("name", "text"), Verdict.STALE_PLANS, 36),
    Case("numeric gets wider", _typed("balance", "numeric(14, 2)"), Verdict.STALE_PLANS, 36),
    Case("numeric loses its limit", _typed("balance", "numeric"), Verdict.STALE_PLANS, 36),
    Case(
        "varchar that a check mentions gets longer",
        _typed("name", "varchar(100)"),
        Verdict.UNSAFE_LOCK,
        37,
        schema=SHOP + "ALTER TABLE users ADD CHECK (name <> '');",
    ),
    Case("varchar gets shorter", _typed("name", "varchar(20)"), Verdict.UNSAFE_LOCK, 38),
    Case("integer becomes bigint", _typed("age", "bigint"), Verdict.UNSAFE_LOCK, 38),
    Case("numeric gets a scale", _typed("balance", "numeric(12, 3)"), Verdict.UNSAFE_LOCK, 38),
    Case(
        "text becomes varchar",
        "ALTER TABLE codes ALTER COLUMN label TYPE varchar(5000);",
        Verdict.UNSAFE_LOCK,
        38,
        schema=CODES,
    ),
    Case(
        "char becomes text",
        "ALTER TABLE codes ALTER COLUMN code TYPE text;",
        Verdict.UNSAFE_LOCK,
        38,
        schema=CODES,
    ),
    Case(
        "timestamp gets a time zone where that is not UTC",
        "SET timezone = 'Europe/Oslo';" + _typed("created_at", "timestamptz"),
        Verdict.UNSAFE_LOCK,
        39,
    ),
    Case(
        "timestamp gets a time zone in UTC",
        "SET timezone = 'UTC';" + _typed("created_at", "timestamptz"),
        Verdict.STALE_PLANS,
        39,
    ),
    Case(
        "an indexed column is collated otherwise",
        _typed("name", 'varchar(50) COLLATE "C"'),
        Verdict.UNSAFE_LOCK,
        40,
        schema=SHOP + "CREATE INDEX users_name ON users (name);",
    ),
    Case(
        "a view has a column whose type changes",
        _typed("name", "text"),
        Verdict.ERROR,
        41,
        schema=SHOP + ADULTS,
    ),
    Case(
        "a view has a column that is dropped",
        "ALTER TABLE users DROP COLUMN name;",
        Verdict.ERROR,
        41,
        schema=SHOP + ADULTS,
    ),
    Case(
        "a materialized view has a column whose type changes",
        "ALTER TABLE orders ALTER COLUMN total TYPE numeric(12, 2);",
        Verdict.ERROR,
        41,
        schema=SHOP + SUMS,
    ),
)
