"""Dangers that the form of a statement shows for certain, and that squawk has no rule for."""

from collections.abc import Sequence

from kingpost.migrations.lint.findings import SquawkFinding
from kingpost.migrations.lint.reader import Reader
from kingpost.migrations.lint.targets import on_new_tables

RULES = {
    "blocking-refresh": "Refreshing a materialized view locks its readers out until it is built.",
    "changing-all-rows": "One statement that changes all rows keeps them locked until the end of "
    "the transaction, and leaves as many dead ones.",
    "rewriting-table": "The whole table is written anew under an `ACCESS EXCLUSIVE` lock.",
    "truncating-table": "Truncating locks readers out, and the running version loses its rows.",
}
"""The rules, with what is wrong."""

_STORAGE = ("SET LOGGED", "SET UNLOGGED", "SET TABLESPACE", "SET ACCESS METHOD")


def certain_findings(statements: Sequence[str]) -> list[SquawkFinding]:
    """Looks for them.

    Args:
        statements: of one revision, in order.

    Returns:
        The findings, in the order of the statements.
    """
    new = on_new_tables(statements)
    rules = [(index, sql, _rule(Reader(sql))) for index, sql in enumerate(statements)]
    return [
        SquawkFinding(rule, RULES[rule], "", 1, sql, statement=index)
        for index, sql, rule in rules
        if rule and not new[index]
    ]


def _rule(reader: Reader) -> str:
    if reader.take("REFRESH MATERIALIZED VIEW"):
        return "" if reader.word == "CONCURRENTLY" else "blocking-refresh"
    if reader.take("UPDATE") or reader.take("DELETE FROM"):
        reader.until("WHERE", "USING", "FROM")
        return "changing-all-rows" if reader.done else ""
    if reader.take("TRUNCATE"):
        return "" if reader.sql.upper().endswith("CASCADE") else "truncating-table"
    return "rewriting-table" if _rewrites(reader) else ""


def _rewrites(reader: Reader) -> bool:
    if reader.take("CLUSTER"):
        return True
    if reader.take("VACUUM"):
        return reader.word == "FULL" or "FULL" in reader.group().upper()
    if not reader.take("ALTER TABLE"):
        return False
    reader.skip("IF EXISTS", "ONLY")
    reader.name()
    return any(reader.take(words) for words in _STORAGE)
