"""The fixture `rehearsal`, as somebody else's project uses it."""

import shutil
from collections.abc import Mapping
from inspect import cleandoc
from pathlib import Path

import pytest

from kingpost.migrations.rehearsal.report import Report, Revision
from kingpost.migrations.rehearsal.verdicts import Verdict
from kingpost.testing.rehearsal import assert_safe

REVISION = """
    import sqlalchemy as sa
    from alembic import op
    revision, down_revision = {name!r}, {parent!r}
    {marks}

    def upgrade():
        {up}

    def downgrade():
        {down}
"""
INDEX = 'op.create_index("ix_{0}", "author", ["name"])', 'op.drop_index("ix_{0}", "author")'
REVISIONS = {
    "two": (
        "",
        'op.create_table("tag", sa.Column("id", sa.Integer, primary_key=True))',
        'op.drop_table("tag")',
    ),
    "three": ("", INDEX[0].format("three"), INDEX[1].format("three")),
    "four": ('rehearsal_reason = "authors are few"', *(it.format("four") for it in INDEX)),
    "five": ('phase = "contract"', 'op.drop_table("book")', "raise NotImplementedError"),
    "six": (
        "",
        'op.create_table("shelf", sa.Column("id", sa.Integer, primary_key=True))',
        'op.drop_table("shelf")',
    ),
}
TESTS = """
    import pytest
    from kingpost.testing.rehearsal import assert_safe

    @pytest.mark.parametrize("revision", ["two", "three", "four"])
    def test_named(rehearsal, revision):
        assert_safe(rehearsal(revision, rows=20))

    def test_newest(rehearsal):
        report = rehearsal(rows=20)
        assert [it.name for it in report.revisions] == ["six"]
        assert_safe(report)
"""


@pytest.fixture(scope="module")
def output(run_tests, shop: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("rehearsed") / "shop"
    shutil.copytree(shop, root)
    parent = "one"
    for name, (marks, up, down) in REVISIONS.items():
        text = cleandoc(REVISION).format(name=name, parent=parent, marks=marks, up=up, down=down)
        (root / "src/shop/migrations/versions" / f"{name}.py").write_text(text)
        parent = name
    return run_tests(root, TESTS, "--kingpost-drivers=asyncpg").stdout


@pytest.fixture(scope="module")
def outcomes(output: str) -> Mapping[str, str]:
    words = [line.split() for line in output.splitlines() if line.startswith("test_shop.py::")]
    return {name.removeprefix("test_shop.py::test_"): outcome for name, outcome, *_ in words}


def test_a_safe_revision_passes(output: str, outcomes: Mapping[str, str]) -> None:
    assert outcomes["named[two]"] == "PASSED", output


def test_an_unsafe_revision_fails_with_the_report_and_no_traceback(
    output: str, outcomes: Mapping[str, str]
) -> None:
    assert outcomes["named[three]"] == "FAILED", output
    assert "UNSAFE-LOCK: three" in output
    assert "CREATE INDEX ix_three ON author (name)" in output
    assert "Traceback" not in output
    assert "assert_safe(rehearsal(" not in output


def test_an_unsafe_revision_with_a_reason_passes(output: str, outcomes: Mapping[str, str]) -> None:
    assert outcomes["named[four]"] == "PASSED", output


def test_without_a_name_the_newest_revision_is_rehearsed(
    output: str, outcomes: Mapping[str, str]
) -> None:
    assert outcomes["newest"] == "PASSED", output


def test_a_contract_phase_may_take_away_what_the_old_version_needs_and_may_not_block() -> None:
    assert_safe(Report((Revision("a", Verdict.BREAKS_APP, phase="contract"),)))

    with pytest.raises(pytest.fail.Exception, match="UNSAFE-LOCK: a"):
        assert_safe(Report((Revision("a", Verdict.UNSAFE_LOCK, phase="contract"),)))
