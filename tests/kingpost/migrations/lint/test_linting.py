"""What the lint says of a revision, line by line."""

import pytest
from alembic.util import CommandError
from tests.kingpost.migrations.lint.conftest import Lint

from kingpost.migrations.lint.linting import Finding
from kingpost.migrations.lint.text import as_text

HEAD = """\
import sqlalchemy as sa
from alembic import op

revision = "r3"
down_revision = "r2"
"""
"""Five lines, so that what is written after it begins in line 6."""


def upgrade(*lines: str, head: str = HEAD) -> str:
    """A revision whose upgrade begins in line 7, after `head`."""
    return head + "def upgrade():\n" + "".join(f"    {line}\n" for line in lines)


def places(findings: tuple[Finding, ...]) -> list[tuple[int, str]]:
    return [(finding.line, finding.rule) for finding in findings]


DROPPED = 'op.drop_column("one", "a")'
DROPS = "ban-drop-column"


def test_a_revision_without_danger_has_no_finding(lint_revision: Lint) -> None:
    text = upgrade('op.add_column("one", sa.Column("a", sa.Text()))', 'op.execute("SELECT 1")')

    assert lint_revision(text) == ()


def test_a_finding_says_everything(lint_revision: Lint) -> None:
    (finding,) = lint_revision(upgrade('op.create_index("i", "one", ["a"])'))

    assert finding.as_json() == {
        "file": finding.file,
        "line": 7,
        "revision": "r3",
        "rule": "require-concurrent-index-creation",
        "level": "error",
        "message": finding.message,
        "sql": "CREATE INDEX i ON one (a)",
        "cure": 'op.create_index_online("i", "one", ["a"])',
    }
    assert finding.file.endswith("versions/r3.py")
    assert "updates are blocked" in finding.message


def test_each_statement_has_the_line_of_its_call(lint_revision: Lint) -> None:
    text = upgrade(
        'op.create_table("n", sa.Column("id", sa.Integer))',
        "op.add_column(",
        '    "one",',
        '    sa.Column("a", sa.Integer(), nullable=False),',
        ")",
        DROPPED,
        'op.execute("SELECT 1; DROP TABLE one;\\nDROP VIEW v")',
    )

    assert places(lint_revision(text)) == [
        (8, "adding-required-field"),
        (12, DROPS),
        (13, "ban-drop-table"),
        (13, "ban-drop-view"),
    ]


def test_a_loop_gives_its_line_for_each_round(lint_revision: Lint) -> None:
    text = upgrade('for name in ("a", "b"):', '    op.drop_column("one", name)')

    found = lint_revision(text)

    assert places(found) == [(8, DROPS), (8, DROPS)]
    assert [finding.sql[-1] for finding in found] == ["a", "b"]


def test_a_function_of_the_revision_gives_the_line_within(lint_revision: Lint) -> None:
    text = HEAD + "def drop(name):\n    op.drop_column('one', name)\n\n"

    assert places(lint_revision(upgrade("drop('a')", head=text))) == [(7, DROPS)]


def test_a_batch_gives_the_line_of_its_block(lint_revision: Lint) -> None:
    text = upgrade('with op.batch_alter_table("one") as batch:', '    batch.drop_column("a")')

    assert places(lint_revision(text)) == [(7, DROPS)]


def test_a_transaction_is_where_alembic_has_it(lint_revision: Lint) -> None:
    index = 'op.create_index("i", "one", ["a"], postgresql_concurrently=True)'
    block = "with op.get_context().autocommit_block():"

    assert places(lint_revision(upgrade(index))) == [
        (7, "ban-concurrent-index-creation-in-transaction")
    ]
    assert lint_revision(upgrade(block, f"    {index}")) == ()


def test_a_table_of_the_same_revision_is_nobodys_yet(lint_revision: Lint) -> None:
    made = 'op.create_table("n", sa.Column("a", sa.Integer))'
    index = 'op.create_index("i", "n", ["a"])'
    outside = 'with op.get_context().autocommit_block(): op.execute("SELECT 1")'

    assert lint_revision(upgrade(made, index)) == ()
    assert lint_revision(upgrade(made, outside, index, 'op.execute("UPDATE n SET a = 1")')) == ()
    assert len(lint_revision(upgrade(index))) == 1


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("UPDATE one SET id = 1", "changing-all-rows"),
        ("DELETE FROM one", "changing-all-rows"),
        ("UPDATE one SET id = 1 WHERE id = 2", ""),
        ("DELETE FROM one USING two WHERE one.id = two.id", ""),
        ("TRUNCATE one", "truncating-table"),
        ("TRUNCATE one CASCADE", "ban-truncate-cascade"),
        ("VACUUM (FULL) one", "rewriting-table"),
        ("VACUUM one", ""),
        ("CLUSTER one USING i", "rewriting-table"),
        ("ALTER TABLE IF EXISTS one SET UNLOGGED", "rewriting-table"),
        ("ALTER TABLE one SET (fillfactor = 70)", ""),
        ("REFRESH MATERIALIZED VIEW v", "blocking-refresh"),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY v", ""),
    ],
)
def test_what_squawk_has_no_rule_for_is_found_by_its_form(
    lint_revision: Lint, sql: str, rule: str
) -> None:
    found = lint_revision(upgrade(f'op.execute("{sql}")'))

    assert [finding.rule for finding in found] == ([rule] if rule else [])
    assert all(finding.cure for finding in found)


def test_the_contract_phase_may_take_away_and_may_not_block(lint_revision: Lint) -> None:
    body = (DROPPED, 'op.create_index("i", "one", ["b"])')
    contract = HEAD + 'phase = "contract"\n'

    assert len(lint_revision(upgrade(*body))) == 2
    assert places(lint_revision(upgrade(*body, head=contract))) == [
        (9, "require-concurrent-index-creation")
    ]


def test_a_phase_that_does_not_exist_is_an_error(lint_revision: Lint) -> None:
    with pytest.raises(CommandError, match="write one of expand, migrate, contract"):
        lint_revision(upgrade(DROPPED, head=HEAD + 'phase = "later"\n'))


@pytest.mark.parametrize(
    "body",
    [
        (f"{DROPPED}  # kingpost: allow {DROPS}: nobody reads it",),
        (f"# kingpost: allow {DROPS}: nobody reads it", DROPPED),
        (f"# kingpost: allow {DROPS}: nobody reads it", "# since May", DROPPED),
        ("op.drop_column(", f'    "one", "a"  # kingpost: allow {DROPS}: nobody reads it', ")"),
        (f"#kingpost:allow {DROPS}:nobody", DROPPED),
    ],
)
def test_a_comment_with_a_reason_allows_a_finding(
    lint_revision: Lint, body: tuple[str, ...]
) -> None:
    assert lint_revision(upgrade(*body)) == ()


def test_a_comment_above_a_loop_is_not_about_what_is_in_it(lint_revision: Lint) -> None:
    comment = f"# kingpost: allow {DROPS}: nobody reads it"

    found = lint_revision(upgrade(comment, "for _ in 'a':", f"    {DROPPED}"))

    assert places(found) == [(7, "suppression-unused"), (9, DROPS)]


def test_a_comment_may_stand_where_a_function_is_called(lint_revision: Lint) -> None:
    text = HEAD + "def drop(name):\n    op.drop_column('one', name)\n\n"
    call = f"drop('a')  # kingpost: allow {DROPS}: nobody reads it"

    assert lint_revision(upgrade(call, head=text)) == ()


def test_a_comment_allows_its_rule_alone(lint_revision: Lint) -> None:
    two = 'op.execute("ALTER TABLE one DROP COLUMN a, ALTER COLUMN b SET NOT NULL")'
    first, second = (
        f"# kingpost: allow {DROPS}: x",
        "# kingpost: allow adding-not-nullable-field: y",
    )

    assert places(lint_revision(upgrade(first, two))) == [(8, "adding-not-nullable-field")]
    assert lint_revision(upgrade(first, second, two)) == ()


@pytest.mark.parametrize(
    ("comment", "rule", "message"),
    [
        (f"# kingpost: allow {DROPS}", "without-reason", "# kingpost: allow RULE: REASON"),
        (f"# kingpost: allow {DROPS}:  ", "without-reason", "Say why"),
        ("# kingpost: allow: nobody reads it", "without-rule", "# kingpost: allow RULE: REASON"),
    ],
)
def test_a_comment_that_says_too_little_is_an_error(
    lint_revision: Lint, comment: str, rule: str, message: str
) -> None:
    found = {finding.rule: finding for finding in lint_revision(upgrade(comment, DROPPED))}

    assert message in found[f"suppression-{rule}"].message
    assert found[f"suppression-{rule}"].line == 7


def test_a_comment_with_an_unknown_rule_names_those_there_are(lint_revision: Lint) -> None:
    wrong, right = lint_revision(upgrade("# kingpost: allow ban-drop-colum: x", DROPPED))

    assert (wrong.line, wrong.rule) == (7, "suppression-of-unknown-rule")
    assert DROPS in wrong.message
    assert right.rule == DROPS


def test_a_comment_that_allows_nothing_is_an_error(lint_revision: Lint) -> None:
    text = upgrade(f"# kingpost: allow {DROPS}: gone", 'op.execute("SELECT 1")')

    assert places(lint_revision(text)) == [(7, "suppression-unused")]


def test_text_that_looks_like_such_a_comment_is_none(lint_revision: Lint) -> None:
    text = upgrade(f"op.execute(\"SELECT '# kingpost: allow {DROPS}: x'\")", DROPPED)

    assert places(lint_revision(text)) == [(8, DROPS)]


READING = (
    "op.drop_table('one')",
    "for row in op.get_bind().execute(sa.text('SELECT 1')).all():",
    "    op.execute('DROP TABLE two')",
)


def test_a_revision_that_reads_the_database_is_named(lint_revision: Lint) -> None:
    table, reading = lint_revision(upgrade(*READING))

    assert table.rule == "ban-drop-table"
    assert (reading.line, reading.rule) == (8, "needs-database")
    assert "kingpost db rehearse r3" in reading.message


def test_a_revision_that_reads_the_database_can_be_allowed(lint_revision: Lint) -> None:
    comment = "# kingpost: allow needs-database: rehearsed"

    found = lint_revision(upgrade(READING[0], comment, *READING[1:]))

    assert [finding.rule for finding in found] == ["ban-drop-table"]


def test_a_value_is_seen_as_it_is_sent(lint_revision: Lint) -> None:
    (finding,) = lint_revision(upgrade("op.execute(\"UPDATE one SET a = '100%'\")"))

    assert finding.sql == "UPDATE one SET a = '100%'"


def test_people_read_place_statement_and_cure(lint_revision: Lint) -> None:
    found = lint_revision(upgrade(DROPPED, 'op.execute("""VACUUM\n (FULL)\n one""")'))

    first, second = as_text(found, 3).split("\n\n")[:2]

    assert first.splitlines() == [
        f"{found[0].file}:7: error[{DROPS}] Dropping a column may break existing clients.",
        "    ALTER TABLE one DROP COLUMN a",
        "    do instead:",
        "        # first deploy a version whose model has no a; then, and not before:",
        '        phase = "contract"  # in a revision of its own, once no running version uses it',
        '        op.drop_column("one", "a")',
    ]
    assert "    VACUUM (FULL) one\n" in second


def test_the_last_line_says_what_no_text_shows(lint_revision: Lint) -> None:
    summary, unseen = as_text(lint_revision(upgrade(DROPPED)), 3).splitlines()[-2:]

    assert summary == "1 finding in 1 of 3 revisions."
    assert "`kingpost db rehearse` proves it" in unseen
    assert as_text((), 1).startswith("1 revision, no finding.\n")
