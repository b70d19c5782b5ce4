import ast

import pytest
from tests.kingpost.migrations.lint.cure_samples import ALL

from kingpost.migrations.lint.cures import cure


@pytest.mark.parametrize(("sql", "code"), ALL, ids=[sql for sql, _ in ALL])
def test_a_statement_is_known_by_its_form_and_cured_with_its_own_names(sql: str, code: str) -> None:
    found = cure(sql + ";")

    assert code in found if code else found == ""


@pytest.mark.parametrize("sql", [sql for sql, code in ALL if code])
def test_what_is_to_be_pasted_is_python(sql: str) -> None:
    ast.parse(cure(sql).replace("Mapped[…]", "Mapped[str]"))


@pytest.mark.parametrize("sql", [sql for sql, _ in ALL])
def test_half_a_statement_is_no_error(sql: str) -> None:
    for place in range(len(sql)):
        assert isinstance(cure(sql[:place]), str)
        assert isinstance(cure(sql[place:]), str)


@pytest.mark.parametrize(
    "sql", ["", ";", "(", "))", "ALTER TABLE t ADD COLUMN c text,,", "'", "$a$"]
)
def test_nonsense_has_no_cure(sql: str) -> None:
    assert cure(sql) == ""


def test_comments_and_cases_make_no_difference() -> None:
    sql = "-- an index\ncreate /* a small one */ index I\n  on T\n (A)"

    assert cure(sql) == 'op.create_index_online("i", "t", ["a"])'
