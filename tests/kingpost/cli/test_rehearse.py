"""`kingpost db rehearse`, on scripts in a folder that is no project, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.kingpost.cli.conftest import KINGPOST

from kingpost.cli.main import main
from kingpost.cli.rehearse import _exit_code
from kingpost.embedded import EmbeddedPostgres
from kingpost.migrations.rehearsal.report import Report, Revision
from kingpost.migrations.rehearsal.statistics import STATISTICS_SQL
from kingpost.migrations.rehearsal.verdicts import Verdict

FILES = {
    "schema.sql": "CREATE TABLE posts (id bigint PRIMARY KEY, title text NOT NULL, body text);\n",
    "data.sql": "INSERT INTO posts SELECT n, 'title ' || n, 'body' FROM generate_series(1, 50) n;",
    "safe.sql": "CREATE TABLE tags (id bigint PRIMARY KEY, name text);",
    "unsafe.sql": "CREATE INDEX ix_posts_title ON posts (title);",
    "drop.sql": "ALTER TABLE posts DROP COLUMN body;",
    "traffic.sql": "-- what the running version asks\nSELECT body FROM posts WHERE id = 1\n",
    "broken.sql": "CREATE TABLE a (id int);\n\nCREATE TABLE b (id nonsense);\n",
    "latin.sql": "-- caf\xe9",
    "nul.sql": "SELECT 1;\nSELECT '\0';",
    "extension.sql": "CREATE EXTENSION citext;",
    "unique.sql": "CREATE UNIQUE INDEX one ON posts ((1));",
    "comment.sql": "-- nothing yet\n/* at all */",
    "psql.sql": "SELECT 1;\n\\connect other",
    "counts.json": '{"posts": 12000000}',
}
SCRIPT = ("--schema", "schema.sql", "--sql", "safe.sql")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("scripts")
    for name, text in FILES.items():
        (made / name).write_bytes(text.encode("latin-1"))
    return made


@dataclass(frozen=True)
class Done:
    """What a run of the command gave."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(
    folder: Path,
    postgres: EmbeddedPostgres,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs the command in this process, on the server that is there."""
    monkeypatch.chdir(folder)
    url = postgres.url("postgres", "psycopg")

    def rehearse(*arguments: str) -> Done:
        code = main(["db", "rehearse", "--server", url, "--rows", "200", *arguments])
        return Done(code, *capsys.readouterr())

    return rehearse


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--sql", "safe.sql"], "--sql needs --schema: kingpost db rehearse --schema"),
        (["--schema", "schema.sql"], "--schema needs --sql"),
        (["--traffic", "traffic.sql"], "--traffic needs --schema"),
        (["--single-transaction"], "--single-transaction is for a script"),
        ([*SCRIPT, "a1b2"], "a script has no a1b2, that is for revisions"),
        ([*SCRIPT, "--old", "v1"], "a script has no --old"),
        ([*SCRIPT, "--dump", "x"], "a script has no --dump"),
        ([*SCRIPT, "--fill", "a:b"], "a script has no --fill"),
        ([*SCRIPT, "--postgres", "16", "--server", "x"], "--postgres chooses an embedded server"),
        ([*SCRIPT, "--server", "mysql://x/y"], "Kingpost needs PostgreSQL, not 'mysql'"),
        ([*SCRIPT, "--statistics", "none.json"], "none.json: No such file or directory"),
        ([*SCRIPT, "--statistics", "data.sql"], "data.sql: not JSON"),
        ([*SCRIPT, "--undo", "none.sql"], "none.sql: No such file or directory"),
        (["--schema", "schema.sql", "--sql", "latin.sql"], "latin.sql: not UTF-8 (byte 6)"),
        (["--schema", ".", "--sql", "safe.sql"], ".: Is a directory"),
        (["--schema", "nul.sql", "--sql", "safe.sql"], "nul.sql:2: a NUL character is no SQL"),
        (["--schema", "schema.sql", "--sql", "comment.sql"], "comment.sql: there is no statement"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(folder)

    assert main(["db", "rehearse", *arguments]) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.parametrize("rows", ["0", "-5", "many", "1.5"])
def test_a_number_of_rows_is_one_or_more(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["db", "rehearse", f"--rows={rows}"])

    assert ended.value.code == 2
    assert "is no number of rows, write 1 or more" in capsys.readouterr().err


def test_the_query_of_the_statistics_is_printed_in_any_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)

    assert main(["db", "rehearse", "--statistics-sql"]) == 0
    assert capsys.readouterr().out == STATISTICS_SQL


def test_revisions_need_a_project_and_a_script_needs_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)

    assert main(["db", "rehearse"]) == 1
    assert "no pyproject.toml with a table [tool.kingpost]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fill", "told"),
    [
        ("words", "write it as module:function"),
        ("no_such_module:f", "No module named 'no_such_module'"),
        ("json:no_such_name", "json has no no_such_name"),
        ("json:__name__", "that is no function"),
    ],
)
def test_a_function_that_is_not_there_is_refused(
    tiny, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fill: str, told: str
) -> None:
    monkeypatch.chdir(tiny.root)
    monkeypatch.setattr(sys, "path", [*sys.path])

    assert main(["db", "rehearse", "--fill", fill]) == 2
    assert told in capsys.readouterr().err


def test_the_exit_code_is_that_of_the_worst_revision_nobody_answers_for() -> None:
    accepted = Revision("a", Verdict.BREAKS_APP, phase="contract")
    open_one, safe = Revision("b", Verdict.NOT_REVERSIBLE), Revision("c", Verdict.BRIEF_LOCK)

    assert _exit_code(Report((accepted, safe)), script=False) == 0
    assert _exit_code(Report((accepted, open_one)), script=False) == 13
    assert _exit_code(Report((accepted, safe)), script=True) == 16


def test_a_safe_script_ends_well_in_a_folder_that_is_no_project(run: Run) -> None:
    done = run(*SCRIPT, "--no-live")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("SAFE: safe.sql")
    assert "safe.sql:1  CREATE TABLE tags" in done.stdout
    assert " s  " in done.stderr


def test_a_server_is_named_as_for_psql(run: Run, postgres: EmbeddedPostgres) -> None:
    url = f"postgresql://postgres@/postgres?host={postgres.host}"

    assert run("--server", url, *SCRIPT, "--no-live").returncode == 0


def test_json_is_one_document_and_nothing_else(folder: Path) -> None:
    command = [str(KINGPOST), "db", "rehearse", "--schema", "schema.sql", "--data", "data.sql"]
    command += ["--sql", "drop.sql", "--traffic", "traffic.sql", "--no-live", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    document = json.loads(done.stdout)

    assert done.returncode == 16, done.stderr
    assert document["verdict"] == "breaks-app"
    (statement,) = document["statements"]
    assert statement["sql"].startswith("ALTER TABLE posts DROP COLUMN body")
    assert statement["verdict"] == "breaks-app"
    assert {error["sqlstate"] for error in statement["errors"]} == {"42703"}
    assert document["invalid"] == []


def test_a_command_of_psql_in_the_change_is_refused_with_its_line(run: Run) -> None:
    done = run("--schema", "schema.sql", "--sql", "psql.sql")

    assert done.returncode == 1
    assert done.stderr.startswith("kingpost: psql.sql:2: a command of psql cannot be rehearsed")


def test_a_change_that_fails_is_told_with_its_place_and_no_traceback(run: Run) -> None:
    done = run("--schema", "schema.sql", "--sql", "broken.sql", "--no-live")

    assert done.returncode == 17, done.stderr
    assert "FAILED broken.sql:3  CREATE TABLE b (id nonsense)" in done.stdout
    assert 'type "nonsense" does not exist' in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("part", ["sql", "schema"])
def test_an_extension_that_the_server_lacks_is_a_reason_to_give_another_one(
    run: Run, part: str
) -> None:
    files = {"schema": "schema.sql", "sql": "safe.sql", part: "extension.sql"}
    done = run(*(word for name, file in files.items() for word in (f"--{name}", file)), "--no-live")

    assert done.returncode == {"sql": 18, "schema": 1}[part]
    assert 'extension "citext" is not available' in done.stdout + done.stderr
    assert "give a server that has it with --server URL" in done.stdout + done.stderr


def test_who_fails_on_generated_rows_is_told_how_to_give_real_ones(run: Run) -> None:
    generated = run("--schema", "schema.sql", "--sql", "unique.sql", "--no-live")
    given = run("--schema", "schema.sql", "--data", "data.sql", "--sql", "unique.sql", "--no-live")

    assert (generated.returncode, given.returncode) == (18, 18)
    assert "the rows of posts are generated: give real ones with --data FILE" in generated.stdout
    assert "generated" not in given.stdout


def test_a_place_is_in_the_file_that_was_given(run: Run, folder: Path) -> None:
    (folder / "back.sql").write_text("\nDROP TABLE tags;")
    document = json.loads(run(*SCRIPT, "--undo", "back.sql", "--no-live", "--json").stdout)

    assert [it["place"] for it in document["statements"]] == ["safe.sql:1", "back.sql:2"]
    assert [it["undo"] for it in document["statements"]] == [False, True]
    assert document["round_trip"]["schema"] == "equal"


def test_an_unsafe_script_is_estimated_and_written_for_everybody(run: Run, folder: Path) -> None:
    done = run(
        *("--schema", "schema.sql", "--sql", "unsafe.sql", "--statistics", "counts.json"),
        *("--output", "made/reports"),
    )

    assert done.returncode == 15, done.stderr
    assert "UNSAFE unsafe.sql:1  CREATE INDEX ix_posts_title" in done.stdout
    assert "in production, 12 000 000 rows: about" in done.stdout
    assert "do instead: " in done.stdout
    made = folder / "made" / "reports"
    assert json.loads((made / "report.json").read_text())["verdict"] == "unsafe-lock"
    suite = ET.parse(made / "junit.xml").getroot()  # noqa: S314 - our own document
    assert suite.get("failures") == "1"
    page = (made / "report.html").read_text()
    assert "<svg" in page
    assert "unsafe-lock" in page


def test_a_single_transaction_holds_its_locks_until_its_end(run: Run, folder: Path) -> None:
    (folder / "two.sql").write_text(
        "ALTER TABLE posts ADD COLUMN a int;\nUPDATE posts SET a = 1 WHERE id < 10;\n"
    )
    script = ("--schema", "schema.sql", "--sql", "two.sql", "--no-live", "--json")
    alone, together = run(*script), run(*script, "--single-transaction")

    assert json.loads(together.stdout)["verdict"] == "unsafe-lock", together.stderr
    assert json.loads(alone.stdout)["statements"][0]["verdict"] == "brief-lock", alone.stderr


@pytest.mark.parametrize("part", ["schema", "data"])
def test_a_mistake_in_what_is_there_before_is_told_with_file_and_line(run: Run, part: str) -> None:
    files = {"schema": "schema.sql", "sql": "safe.sql", part: "broken.sql"}
    done = run(*(word for name, file in files.items() for word in (f"--{name}", file)))

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert "broken.sql:3" in done.stderr.splitlines()[-1]
    assert 'type "nonsense" does not exist' in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("moment", ["starting PostgreSQL", "filling tables"])
def test_an_interrupt_leaves_one_line_and_nothing_else(
    folder: Path, tmp_path: Path, moment: str
) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a background job of a shell
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command = [str(KINGPOST), "db", "rehearse", *SCRIPT, "--rows", "30000000"]
    started = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with started as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if moment in line)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all of them
        rest = process.stderr.read().splitlines()

    assert moment in said
    assert process.returncode == 130
    assert [line for line in rest if " s  " not in line] == [
        "kingpost: interrupted; nothing of the rehearsal is left"
    ]
    assert not list(tmp_path.iterdir())
    assert not [it for it in Path("/proc").glob("[0-9]*/cmdline") if _is_of(it, tmp_path)]


def _is_of(command: Path, folder: Path) -> bool:
    try:
        return str(folder).encode() in command.read_bytes()
    except OSError:  # it has ended
        return False
