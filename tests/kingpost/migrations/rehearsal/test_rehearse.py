"""A rehearsal from its beginning to its end: scripts, revisions, live traffic, what it leaves."""

import itertools
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from tests.kingpost.migrations.rehearsal.rehearsed import SCHEMA, USES

from kingpost.embedded import EmbeddedPostgres
from kingpost.migrations import upgrade
from kingpost.migrations.rehearsal.rehearse import (
    Options,
    RehearsalError,
    Script,
    rehearse_revisions,
    rehearse_script,
)
from kingpost.migrations.rehearsal.report import Report
from kingpost.migrations.rehearsal.verdicts import Verdict
from kingpost.project import Project
from kingpost.testing.databases import execute

ENVIRONMENT = """
from sqlalchemy import MetaData
from kingpost.migrations import environment
environment.run(MetaData())
"""
REVISION = '''"""{title}"""
from alembic import op
import sqlalchemy as sa

revision, down_revision = {name!r}, {parent!r}
{marks}

def upgrade():
    {up}


def downgrade():
    {down}
'''
QUICK = Options(rows=200, live=False)
Adds = Callable[..., None]


@pytest.fixture
def service(tmp_path: Path) -> Project:
    """A service with a table, and with nothing but migrations."""
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(ENVIRONMENT)
    return Project(tmp_path, MappingProxyType({}), folder, "X_")


@pytest.fixture
def add(service: Project) -> Adds:
    """Adds a revision: `add("r2", "op.execute('…')", "pass")`."""
    names: list[str] = []

    def added(name: str, up: str, down: str, marks: str = "") -> None:
        parent = names[-1] if names else None
        text = REVISION.format(
            title=f"do {name}", name=name, parent=parent, marks=marks, up=up, down=down
        )
        (service.migrations / "versions" / f"{name}.py").write_text(text)
        names.append(name)

    tables = [text for text in SCHEMA.split(";") if text.strip()]
    added("r1", f"[op.execute(text) for text in {tables!r}]", "pass")
    return added


COLUMN = 'op.add_column("people", sa.Column("x", sa.Integer))', 'op.drop_column("people", "x")'


def rehearse(server: EmbeddedPostgres, project: Project, *names: str, **options: Any) -> Report:
    chosen = Options(**{"rows": 200, "live": False, **options})
    return rehearse_revisions(project, names or None, chosen, server=server)


def test_the_newest_revision_is_rehearsed_from_the_state_before_it(
    postgres: EmbeddedPostgres, service: Project, add: Adds
) -> None:
    add("r2", *COLUMN)
    (revision,) = rehearse(postgres, service).revisions
    assert (revision.name, revision.title, revision.phase) == ("r2", "do r2", "expand")
    there, back = revision.statements
    assert there.sql == "ALTER TABLE people ADD COLUMN x INTEGER"
    assert there.place == "migrations/versions/r2.py:9"
    assert (there.verdict, back.verdict, back.undo) == (
        Verdict.BRIEF_LOCK,
        Verdict.BRIEF_LOCK,
        True,
    )
    assert revision.round_trip is not None
    assert revision.round_trip.schema == "equal"


def test_the_running_version_of_a_service_uses_every_column(
    postgres: EmbeddedPostgres, service: Project, add: Adds
) -> None:
    back = 'op.add_column("people", sa.Column("note", sa.Text))'
    add("r2", 'op.drop_column("people", "note")', back, 'phase = "contract"')
    report = rehearse(postgres, service)
    assert report.verdict is Verdict.BREAKS_APP
    assert report.revisions[0].phase == "contract"
    assert report.accepted


def test_a_contract_without_a_way_back_is_not_accepted(
    postgres: EmbeddedPostgres, service: Project, add: Adds
) -> None:
    add("r2", 'op.drop_column("people", "note")', "pass", 'phase = "contract"')

    report = rehearse(postgres, service)

    assert report.verdict is Verdict.BREAKS_APP
    assert not report.accepted


def test_revisions_are_rehearsed_one_after_the_other(
    postgres: EmbeddedPostgres, service: Project, add: Adds
) -> None:
    add("r2", 'op.execute("CREATE TABLE pets (id int PRIMARY KEY)")', 'op.drop_table("pets")')
    add(
        "r3",
        'op.execute("ALTER TABLE pets ADD CHECK (id > -1)")',
        "pass",
        'rehearsal_reason = "there are few"',
    )
    report = rehearse(postgres, service, "r3", "r2")
    assert [revision.name for revision in report.revisions] == ["r2", "r3"]
    assert report.revisions[0].verdict is Verdict.SAFE
    assert report.revisions[1].verdict is Verdict.UNSAFE_LOCK
    assert report.revisions[1].round_trip is not None
    assert report.revisions[1].round_trip.schema == "different"
    assert report.revisions[1].reason == "there are few"


def test_operations_of_ours_are_safe_and_their_batches_are_one(
    postgres: EmbeddedPostgres, service: Project, add: Adds
) -> None:
    add(
        "r2",
        'op.create_index_online("i", "people", ["age"])\n'
        '    op.backfill("people", {"note": "\'x\'"}, batch_rows=20)',
        'op.drop_index_online("i", "people")',
        "import kingpost.migrations.operations",
    )
    revision = rehearse(postgres, service).revisions[0]
    assert {it.verdict for it in revision.statements} == {Verdict.SAFE}
    assert [it.rows_changed for it in revision.statements if it.rows_changed] == [20]


def test_a_downgrade_that_raises_is_not_reversible(
    postgres: EmbeddedPostgres, service: Project, add: Adds
) -> None:
    add("r2", 'op.execute("CREATE TABLE pets ()")', "raise NotImplementedError")
    revision = rehearse(postgres, service).revisions[0]
    assert revision.verdict is Verdict.NOT_REVERSIBLE
    assert revision.round_trip is not None
    assert "NotImplementedError" in str(revision.round_trip.error)


def test_after_a_failure_no_more_is_rehearsed(
    postgres: EmbeddedPostgres, service: Project, add: Adds
) -> None:
    add("r2", 'op.execute("ALTER TABLE nobody ADD x int")', "pass")
    add("r3", 'op.execute("SELECT 1")', "pass")
    (revision,) = rehearse(postgres, service, "r2", "r3").revisions
    assert revision.verdict is Verdict.ERROR
    assert revision.statements[0].error == '42P01: relation "nobody" does not exist'


def test_what_fails_since_its_transaction_has_is_not_told_again(
    postgres: EmbeddedPostgres, service: Project, add: Adds
) -> None:
    sent = ["ALTER TABLE nobody ADD x int", "ALTER TABLE people ADD x int", "SELECT 1"]
    guarded = "import contextlib as c\n    for sql in {}:\n      with c.suppress(Exception): {}"
    add("r2", guarded.format(sent, "op.execute(sql)"), "pass")
    (revision,) = rehearse(postgres, service).revisions
    assert [it.error for it in revision.statements] == ['42P01: relation "nobody" does not exist']


def test_a_failure_of_python_is_told(
    postgres: EmbeddedPostgres, service: Project, add: Adds
) -> None:
    add("r2", "raise ValueError('not today')", "pass")
    (revision,) = rehearse(postgres, service).revisions
    assert revision.verdict is Verdict.ERROR
    assert "not today" in str(revision.statements[0].error)


def test_a_failure_after_a_part_of_a_revision_is_partial(
    postgres: EmbeddedPostgres, service: Project, add: Adds
) -> None:
    block = 'with op.get_context().autocommit_block(): op.execute("CREATE TABLE pets (id int)")'
    add("r2", f"{block}\n    raise ValueError('not today')", "pass")
    (revision,) = rehearse(postgres, service).revisions
    assert revision.verdict is Verdict.PARTIAL


def test_the_live_pass_shows_who_waits_and_decides_nothing(
    postgres: EmbeddedPostgres,
) -> None:
    change = "BEGIN;\nALTER TABLE people ADD x int;\nSELECT pg_sleep(0.3);\nCOMMIT;"
    script = Script("change.sql", SCHEMA, change, traffic=USES)
    report = rehearse_script(script, Options(rows=200), server=postgres)
    live = report.live["change.sql"]
    assert report.verdict is Verdict.BRIEF_LOCK
    assert [index for index, _, _ in live.statements] == [0, 1, 2, 3]
    assert {wait.query for wait in live.waits} == {USES}
    statements = report.revisions[0].statements
    assert max(statement.waited_ms for statement in statements) > 0
    assert all(statement.started_ms is not None for statement in statements)


def test_the_live_pass_of_a_revision_goes_through_the_runner(
    postgres: EmbeddedPostgres, service: Project, add: Adds
) -> None:
    add("r2", *COLUMN)
    report = rehearse(postgres, service, live=True)
    assert report.verdict is Verdict.BRIEF_LOCK
    assert [index for index, _, _ in report.live["r2"].statements] == [0]
    assert report.live["r2"].sent > 0


@pytest.mark.parametrize("change", ["SELECT 1", "ALTER TABLE nobody ADD x int"])
def test_no_database_is_left_behind(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    numbers, mine = itertools.count(), f"of_{os.getpid()}_"  # others rehearse there as well
    monkeypatch.setattr("secrets.token_hex", lambda _: f"{mine}{next(numbers)}")
    during: set[str] = set()
    rehearse_script(
        Script("a.sql", SCHEMA, change, undo="SELECT 1"),
        QUICK,
        server=postgres,
        progress=lambda _: during.update(postgres.databases()),
    )
    assert [name for name in during if mine in name]
    assert not [name for name in postgres.databases() if mine in name]


def test_a_mistake_in_the_schema_is_told_with_its_line(postgres: EmbeddedPostgres) -> None:
    script = Script("a.sql", "SELECT 1;\nCREATE TABLE", "SELECT 1")
    with pytest.raises(RehearsalError, match=r"schema\.sql:\d: ERROR:  syntax error"):
        rehearse_script(script, QUICK, server=postgres)


def test_a_server_that_does_not_answer_is_told_in_one_line(tmp_path: Path) -> None:
    options = Options(url=f"postgresql+asyncpg://nobody@/nothing?host={tmp_path}")
    with pytest.raises(RehearsalError, match="no PostgreSQL answers at the URL: "):
        rehearse_script(Script("a.sql", SCHEMA, "SELECT 1"), options)


async def test_it_can_be_called_inside_of_an_event_loop(postgres: EmbeddedPostgres) -> None:
    report = rehearse_script(Script("a.sql", SCHEMA, "SELECT 1"), QUICK, server=postgres)
    assert report.verdict is Verdict.SAFE


def test_a_server_of_its_own_is_stopped_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    said: list[str] = []
    report = rehearse_script(Script("a.sql", SCHEMA, "SELECT 1"), QUICK, progress=said.append)
    assert report.server.startswith("18.")
    assert said[0] == "starting PostgreSQL 18"
    assert not list(tmp_path.iterdir())


def test_the_users_own_function_fills_first(postgres: EmbeddedPostgres) -> None:
    def fill(connection: Any, rows: int) -> None:
        connection.exec_driver_sql(
            f"INSERT INTO people SELECT n, n, 'mine' FROM generate_series(1, {rows // 2}) n"  # noqa: S608 - a number
        )

    change = "ALTER TABLE people ALTER COLUMN email TYPE varchar(4)"
    options = Options(rows=200, live=False, fill=fill)
    report = rehearse_script(Script("a.sql", SCHEMA, change), options, server=postgres)
    assert "rewrites people, 100 rows" in report.revisions[0].statements[0].reasons[0]


@pytest.mark.parametrize("wrong", ["SELEC 1", "SELECT nope FROM people"])
def test_a_line_of_the_traffic_that_cannot_work_is_told(
    postgres: EmbeddedPostgres, wrong: str
) -> None:
    traffic = f"SELECT 1\n{wrong}\n"
    script = Script("x", SCHEMA, "ALTER TABLE people DROP COLUMN note", traffic=traffic)

    report = rehearse_script(script, QUICK, server=postgres)

    assert f"{wrong} of the traffic is right" in report.revisions[0].assumptions[0]


def test_traffic_of_which_nothing_works_is_refused(postgres: EmbeddedPostgres) -> None:
    script = Script("x", SCHEMA, "ALTER TABLE people ADD x int", traffic="SELECT 1 / 0\n")

    with pytest.raises(RehearsalError, match=r"fails before the change.*'SELECT 1 / 0'"):
        rehearse_script(script, QUICK, server=postgres)


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_rows_of_a_dump_are_no_assumption(
    postgres: EmbeddedPostgres, service: Project, add: Adds, tmp_path: Path, form: str
) -> None:
    postgres.create_database("dumped")
    upgrade(service, postgres.url("dumped"))
    execute(postgres.url("dumped"), "INSERT INTO people (id, email) VALUES (1, 'ada')")
    dump = tmp_path / "dump"
    program = [postgres.bin("pg_dump"), "-h", postgres.host, "-U", "postgres", f"-F{form}"]
    subprocess.run([*program, "-f", dump, "dumped"], check=True)
    postgres.drop_database("dumped")
    add("r2", 'op.alter_column("people", "note", nullable=False)', "pass")

    report = rehearse(postgres, service, dump=dump)

    assert report.verdict is Verdict.ERROR
    assert str(report.revisions[0].statements[0].error).startswith("23502")
