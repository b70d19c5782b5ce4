"""A script is cut where psql cuts it."""

import pytest

from kingpost.migrations.rehearsal.splitting import ScriptError, split

BODY = """CREATE FUNCTION f(a int) RETURNS int BEGIN ATOMIC
  SELECT CASE WHEN a > 0 THEN 1 ELSE 2 END; SELECT 2;
END"""


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT ';'",
        "SELECT 'it''s;'",
        r"SELECT E'\';' ",
        r"SELECT '\', 1",
        'SELECT 1 AS ";"',
        "DO $$ BEGIN PERFORM 1; END $$",
        "DO $a$ SELECT $$;$$; $a$",
        "SELECT /* ; /* ; */ ; */ 1",
        "SELECT 1 -- ;\n + 1",
        "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)",
        "SELECT a$1, b$$ FROM t",
        "SELECT 1 AS é",
        BODY,
        BODY.replace("CREATE", "create or replace"),
    ],
)
def test_a_semicolon_within_a_statement_does_not_end_it(statement: str) -> None:
    pieces = split(f"{statement};SELECT 2")
    assert [piece.sql for piece in pieces] == [statement.strip(), "SELECT 2"]


def test_a_statement_begins_at_its_line_after_the_comments() -> None:
    script = "-- first; no statement\n\nSELECT 1;\n/* two\nlines */ SELECT\n2;;\n;SELECT 3 -- end"
    assert [(piece.sql, piece.line) for piece in split(script)] == [
        ("SELECT 1", 3),
        ("SELECT\n2", 5),
        ("SELECT 3", 7),
    ]


def test_nothing_has_no_statements() -> None:
    assert split("") == split(" ;; -- nothing\n/* at all */") == ()


def test_a_begin_that_opens_a_transaction_holds_nothing_together() -> None:
    assert len(split("BEGIN; CREATE TABLE a (b int); END; SELECT 1")) == 4


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("SELECT 1;\nSELECT 'a", "change.sql:2: a quote begins and does not end"),
        ("SELECT $x$ a $$", "change.sql:1: a quote begins and does not end"),
        ("\n/* /* */", "change.sql:2: a comment begins and does not end"),
        ("SELECT 1;\n\\i other.sql", "change.sql:2: a command of psql cannot be rehearsed"),
        ("COPY t FROM STDIN;\n1\n\\.", "change.sql:"),
    ],
)
def test_what_cannot_be_run_is_refused_with_its_line(script: str, message: str) -> None:
    with pytest.raises(ScriptError, match=message.replace(".", r"\.")):
        split(script, "change.sql")
