"""Types that change without a rewrite, in columns that the running version does not read."""

from tests.kingpost.migrations.hazards.case import READS, SHOP, Case

from kingpost.migrations.rehearsal.verdicts import Verdict

NETWORKS = """
CREATE TABLE networks (
    id bigint PRIMARY KEY, place cidr, mask varbit(8), since time(0), wait interval(0)
);
"""
LABELS = "SELECT id FROM networks WHERE id = 7;"


def _users(column: str, shown: str) -> str:
    return f"ALTER TABLE users ALTER COLUMN {column} TYPE {shown};"


def _networks(column: str, shown: str) -> str:
    return f"ALTER TABLE networks ALTER COLUMN {column} TYPE {shown};"


def _users_case(name: str, change: str, schema: str = SHOP) -> Case:
    return Case(name, change, Verdict.BRIEF_LOCK, schema=schema, traffic=READS)


def _networks_case(name: str, change: str) -> Case:
    return Case(name, change, Verdict.BRIEF_LOCK, schema=NETWORKS, traffic=LABELS)


CASES = (
    _users_case("varchar gets longer", _users("name", "varchar(100)")),
    _users_case("varchar loses its limit", _users("name", "varchar")),
    _users_case("varchar becomes text", _users("name", "text")),
    _users_case(
        "varchar with an index gets longer",
        _users("name", "varchar(100)"),
        schema=SHOP + "CREATE INDEX users_name ON users (name);",
    ),
    _users_case("numeric gets wider", _users("balance", "numeric(14, 2)")),
    _users_case("numeric loses its limit", _users("balance", "numeric")),
    _users_case(
        "timestamp gets a time zone in UTC",
        "SET timezone = 'UTC';" + _users("created_at", "timestamptz"),
    ),
    _users_case("a type set to what it is", _users("name", "varchar(50)")),
    _networks_case("cidr becomes inet", _networks("place", "inet")),
    _networks_case("varbit gets longer", _networks("mask", "varbit(16)")),
    _networks_case("time gets finer", _networks("since", "time(6)")),
    _networks_case("interval gets finer", _networks("wait", "interval(6)")),
)
