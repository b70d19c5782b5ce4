"""Hazards 46 to 49: enums and partitions."""

from tests.kingpost.migrations.hazards.case import Case, filled

from kingpost.migrations.rehearsal.verdicts import Verdict

ORDERS = """
CREATE TYPE state AS ENUM ('open', 'paid');
CREATE TABLE orders (id bigint PRIMARY KEY, state state NOT NULL DEFAULT 'open');
"""

EVENTS = """
CREATE TABLE events (id bigint NOT NULL, day date NOT NULL, kind text) PARTITION BY RANGE (day);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 (id bigint NOT NULL, day date NOT NULL, kind text);
"""

WITH_DEFAULT = EVENTS + "CREATE TABLE events_rest PARTITION OF events DEFAULT;"


ROWS = filled("events_2025", "2025-01-01") + filled("events_2026", "2026-01-01")
ROWS_WITH_DEFAULT = ROWS + filled("events_rest", "2030-01-01")

TRAFFIC = """
SELECT id, kind FROM events WHERE day = '2025-02-03' LIMIT 5;
INSERT INTO events VALUES (-1, '2025-02-03', 'new');
DELETE FROM events WHERE day = '2025-02-03' AND id = -1;
"""

ATTACH = """
ALTER TABLE events ATTACH PARTITION events_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
"""

CASES = (
    Case(
        "a value of an enum is added and used in one transaction",
        "BEGIN; ALTER TYPE state ADD VALUE 'lost'; "
        "UPDATE orders SET state = 'lost' WHERE id = 1; COMMIT;",
        Verdict.ERROR,
        46,
        schema=ORDERS,
    ),
    Case(
        "a partition is attached whose rows nothing speaks for",
        ATTACH,
        Verdict.UNSAFE_LOCK,
        47,
        schema=EVENTS,
        data=ROWS,
        traffic=TRAFFIC,
    ),
    Case(
        "a partition is attached beside a default one with rows",
        ATTACH,
        Verdict.UNSAFE_LOCK,
        48,
        schema=WITH_DEFAULT,
        data=ROWS_WITH_DEFAULT,
        traffic=TRAFFIC,
    ),
    Case(
        "a partition is attached with a proof, and a default one with rows has none",
        ATTACH,
        Verdict.UNSAFE_LOCK,
        48,
        schema=WITH_DEFAULT
        + "ALTER TABLE events_2026 ADD CHECK (day >= '2026-01-01' AND day < '2027-01-01');",
        data=ROWS_WITH_DEFAULT,
        traffic=TRAFFIC,
    ),
    Case(
        "a partition is made beside a default one with rows",
        "CREATE TABLE events_2027 PARTITION OF events "
        "FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');",
        Verdict.UNSAFE_LOCK,
        48,
        schema=WITH_DEFAULT,
        data=ROWS_WITH_DEFAULT,
        traffic=TRAFFIC,
    ),
    Case(
        "a partition is detached",
        "ALTER TABLE events DETACH PARTITION events_2024;",
        Verdict.BRIEF_LOCK,
        49,
        schema=EVENTS + "CREATE TABLE events_2024 PARTITION OF events "
        "FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');",
        data=ROWS + filled("events_2024", "2024-01-01"),
        traffic=TRAFFIC,
    ),
)
