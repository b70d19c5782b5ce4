from pathlib import Path

import pytest

from kingpost.migrations.lint import squawk
from kingpost.migrations.rehearsal.opinions import with_opinions
from kingpost.migrations.rehearsal.report import Lock, Revision, Statement
from kingpost.migrations.rehearsal.verdicts import Verdict


def opinions(*statements: Statement, empty: tuple[str, ...] = ()) -> list[list[tuple[str, str]]]:
    revision = Revision("r1", Verdict.SAFE, statements=statements)
    found = with_opinions(revision, empty).statements
    return [[(given.rule, given.outcome) for given in statement.opinions] for statement in found]


def test_an_opinion_is_confirmed_by_a_verdict_that_does_not_pass() -> None:
    statement = Statement("CREATE INDEX i ON t (c)", Verdict.UNSAFE_LOCK)

    assert opinions(statement) == [[("require-concurrent-index-creation", "confirmed")]]


@pytest.mark.parametrize("verdict", [Verdict.SAFE, Verdict.BRIEF_LOCK])
def test_an_opinion_is_refuted_by_a_verdict_that_passes(verdict: Verdict) -> None:
    statement = Statement("ALTER TABLE t ALTER COLUMN c TYPE text", verdict)

    assert opinions(statement) == [[("changing-column-type", "refuted")]]


@pytest.mark.parametrize("sql", ["ALTER TABLE t ALTER COLUMN c TYPE text", "DROP INDEX i"])
def test_a_table_without_rows_refutes_nothing(sql: str) -> None:
    lock = Lock("t", "ACCESS EXCLUSIVE", "reads and writes")
    statement = Statement(sql, Verdict.BRIEF_LOCK, locks=(lock,))

    [[(_, outcome)]] = opinions(statement, empty=("t",))
    assert outcome == "not exercised"


def test_a_statement_is_seen_in_its_transaction() -> None:
    sql = "CREATE INDEX CONCURRENTLY i ON t (c)"

    assert opinions(Statement(sql, Verdict.SAFE)) == [[]]
    assert opinions(Statement(sql, Verdict.ERROR, transaction=1)) == [
        [("ban-concurrent-index-creation-in-transaction", "confirmed")]
    ]


def test_a_statement_is_seen_after_the_ones_before_it() -> None:
    table = Statement("CREATE TABLE n (c text)", Verdict.SAFE, transaction=1)
    index = Statement("CREATE INDEX i ON n (c)", Verdict.SAFE, transaction=2)

    assert opinions(table, index) == [[], []]


def test_the_way_back_is_a_script_of_its_own() -> None:
    there = Statement("CREATE TABLE n (c text)", Verdict.SAFE, transaction=1)
    back = Statement("DROP TABLE n", Verdict.BRIEF_LOCK, transaction=1, undo=True)

    assert opinions(there, back) == [[], [("ban-drop-table", "refuted")]]


def test_what_squawk_cannot_read_has_no_opinion_and_hides_none() -> None:
    unread = Statement("INSERT INTO t VALUES (%(a)s)", Verdict.SAFE, transaction=1)
    read = Statement("DROP TABLE t", Verdict.BREAKS_APP, transaction=1)

    assert opinions(unread, read) == [[], [("ban-drop-table", "confirmed")]]


def test_without_squawk_there_are_no_opinions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(squawk.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    assert opinions(Statement("DROP TABLE t", Verdict.BREAKS_APP)) == [[]]
