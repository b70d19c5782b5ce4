"""Hazard 57: triggers, policies and views."""

from tests.kingpost.migrations.hazards.case import ADULTS, SHOP, Case

from kingpost.migrations.rehearsal.verdicts import Verdict

FUNCTION = (
    SHOP
    + """
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
"""
)
TRIGGER = "CREATE TRIGGER stamped BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION stamp();"

CASES = (
    Case("a trigger is made", TRIGGER, Verdict.BRIEF_LOCK, 57, schema=FUNCTION),
    Case(
        "a trigger is dropped",
        "DROP TRIGGER stamped ON users;",
        Verdict.BRIEF_LOCK,
        57,
        schema=FUNCTION + TRIGGER,
    ),
    Case(
        "a trigger is switched off",
        "ALTER TABLE users DISABLE TRIGGER stamped;",
        Verdict.BRIEF_LOCK,
        57,
        schema=FUNCTION + TRIGGER,
    ),
    Case(
        "row security is switched on",
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY;",
        Verdict.BRIEF_LOCK,
        57,
    ),
    Case("a policy is made", "CREATE POLICY mine ON users USING (true);", Verdict.BRIEF_LOCK, 57),
    Case(
        "a view is replaced",
        "CREATE OR REPLACE VIEW adults AS SELECT id, name FROM users WHERE age > 20;",
        Verdict.BRIEF_LOCK,
        57,
        schema=SHOP + ADULTS,
    ),
)
