"""`kingpost db lint` in the folder of a service."""

import json
from pathlib import Path
from typing import Any

import pytest

from kingpost.cli.main import main
from kingpost.embedded import EmbeddedPostgres
from kingpost.migrations import upgrade

SECOND = '''
"""Without the names."""

from alembic import op

revision = "b2"
down_revision = "a1"

def upgrade():
    print("a revision may print")
    op.drop_column("keys", "name")

def downgrade():
    pass
'''


@pytest.fixture(autouse=True)
def folder(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a service with a second revision, which drops a column."""
    versions = tiny.root / "src" / "tiny" / "migrations" / "versions"
    (versions / "b2_names.py").write_text(SECOND)
    monkeypatch.chdir(tiny.root)
    monkeypatch.syspath_prepend(str(tiny.root / "src"))
    found: Path = tiny.root
    return found


def findings(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    main(["db", "lint", "--json", *arguments])
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_a_danger_is_shown_with_file_and_line_and_fails(tiny: Any) -> None:
    done = tiny.run("db", "lint")

    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith(
        "src/tiny/migrations/versions/b2_names.py:11: error[ban-drop-column] "
    )
    assert 'op.drop_column("keys", "name")' in done.stdout
    assert "1 finding in 1 of 2 revisions.\n" in done.stdout
    assert "a revision may print" not in done.stdout


def test_without_danger_it_exits_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "lint", "a1"]) == 0
    assert capsys.readouterr().out.startswith("1 revision, no finding.\n")


@pytest.mark.parametrize(
    ("arguments", "revisions"),
    [((), ["b2"]), (("--all",), ["b2"]), (("a1",), []), (("a1..b2",), ["b2"]), (("..a1",), [])],
)
def test_a_program_reads_a_list(
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    revisions: list[str],
) -> None:
    found = findings(capsys, *arguments)

    assert [finding["revision"] for finding in found] == revisions
    keys = {"file", "line", "revision", "rule", "level", "message", "sql", "cure"}
    assert all(finding.keys() == keys for finding in found)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing"], "Can't locate revision identified by 'nothing'"),
        (["a1..nothing"], "Can't locate revision identified by 'nothing'"),
        (["--all", "a1"], "--all is every revision"),
    ],
)
def test_wrong_arguments_exit_with_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert main(["db", "lint", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"kingpost: {told}")
    assert error.count("\n") == 1


def test_what_the_database_has_already_is_not_looked_at(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    empty_database_url: str,
) -> None:
    monkeypatch.setenv("TINY_DATABASE_URL", empty_database_url)
    migrations = folder / "src" / "tiny" / "migrations"

    before = findings(capsys)
    upgrade(migrations, empty_database_url, "b2")
    capsys.readouterr()

    assert [finding["revision"] for finding in before] == ["b2"]
    assert findings(capsys) == []
    assert [finding["revision"] for finding in findings(capsys, "--all")] == ["b2"]


def test_a_database_that_does_not_answer_hides_no_revision(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINY_DATABASE_URL", "postgresql+psycopg://postgres@/tiny?host=/nowhere")

    assert main(["db", "lint"]) == 1

    shown = capsys.readouterr()
    assert "in 1 of 2 revisions" in shown.out
    assert shown.err.count("The database does not answer: nobody knows what it has already.\n") == 1


def test_without_a_database_none_is_made_for_a_question(tiny: Any) -> None:
    main(["db", "lint"])

    assert not EmbeddedPostgres(tiny.data).folder.exists()


def test_what_the_embedded_database_has_already_is_not_looked_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["db", "upgrade", "a1"]) == 0
    capsys.readouterr()
    first = findings(capsys)
    assert main(["db", "upgrade"]) == 0
    capsys.readouterr()

    assert [finding["revision"] for finding in first] == ["b2"]
    assert findings(capsys) == []


def test_who_has_no_squawk_reads_how_to_get_it(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    assert main(["db", "lint"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == "kingpost: squawk is missing: pip install 'kingpost[rehearsal]'"
