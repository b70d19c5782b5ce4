"""Which code serves HTTP in a rehearsal, there and back."""

from pathlib import Path

import pytest
from tests.kingpost.migrations.rehearsal.repositories import commit, copied, git

from kingpost.embedded import EmbeddedPostgres
from kingpost.migrations.rehearsal.machine import as_json
from kingpost.migrations.rehearsal.rehearse import Options, RehearsalError, rehearse_revisions
from kingpost.migrations.rehearsal.report import Report
from kingpost.migrations.rehearsal.text import as_text
from kingpost.migrations.rehearsal.verdicts import Verdict
from kingpost.migrations.rehearsal.versions import AS_IT_IS, running_versions
from kingpost.migrations.revisions import heads
from kingpost.project import Project

REVISION = '''"""change posts"""
from alembic import op

revision, down_revision = "f00d", "{parent}"


def upgrade() -> None:
    op.execute("{up}")


def downgrade() -> None:
    op.execute("{down}")
'''
ADD = "ALTER TABLE posts ADD COLUMN mood text", "ALTER TABLE posts DROP COLUMN mood"
RENAME = (
    "ALTER TABLE posts RENAME COLUMN content TO body",
    "ALTER TABLE posts RENAME COLUMN body TO content",
)


@pytest.fixture
def service(project: Project, tmp_path: Path) -> Project:
    return copied(project, tmp_path)


def add_revision(service: Project, way: tuple[str, str]) -> Path:
    (parent,) = heads(service.migrations)
    file = service.migrations / "versions" / "f00d_change_posts.py"
    file.write_text(REVISION.format(parent=parent, up=way[0], down=way[1]))
    return file


def need_column(service: Project, name: str) -> None:
    """Makes every reader of posts ask for a column that only the revision brings."""
    file = service.root / "src" / "app" / "db" / "models" / "posts.py"
    text = file.read_text()
    assert "    content: " in text
    file.write_text(text.replace("    content: ", f"    {name}: Mapped[str | None]\n    content: "))


def rehearse(project: Project, postgres: EmbeddedPostgres, **options: object) -> Report:
    chosen = Options(**{"rows": 30, **options})  # type: ignore[arg-type] - of a test
    return rehearse_revisions(project, None, chosen, server=postgres)


def test_the_version_before_serves_there_and_back_and_the_new_one_between(
    postgres: EmbeddedPostgres, service: Project
) -> None:
    add_revision(service, ADD)

    report = rehearse(service, postgres)

    live, back = report.live["f00d"], report.back["f00d"]
    assert report.verdict is Verdict.BRIEF_LOCK
    assert live.service.startswith("old version: commit ")
    assert live.service.endswith("before the revision was added; new version: the code as it is")
    for seen in (live, back):
        sent = {sample.query.split(" ")[0] for sample in seen.samples}
        assert sent >= {"GET", "SELECT"}
        assert seen.failed == 0
    assert [index for index, _, _ in back.statements] == [1]
    document = as_json(report)
    assert document["live_back"]["f00d"]["sent"] == back.sent
    assert "The way back under traffic: " in as_text(report)
    assert "The service's HTTP API: old version: commit " in as_text(report)


def test_where_the_code_needs_the_revision_the_commit_before_it_is_the_old_version(
    postgres: EmbeddedPostgres, service: Project
) -> None:
    add_revision(service, ADD)
    need_column(service, "mood")

    report = rehearse(service, postgres)

    live = report.live["f00d"]
    before = git(service.root, "rev-parse", "--short", "HEAD").strip()
    assert live.service == (
        f"old version: commit {before}, before the revision was added; "
        "new version: the code as it is"
    )
    assert (report.verdict, live.failed, report.back["f00d"].failed) == (Verdict.BRIEF_LOCK, 0, 0)
    assert git(service.root, "worktree", "list").count("\n") == 1


def test_what_the_live_pass_sees_of_the_service_decides_nothing(
    postgres: EmbeddedPostgres, service: Project
) -> None:
    add_revision(service, RENAME)

    report = rehearse(service, postgres)

    alone = rehearse(service, postgres, live=False)
    assert [it.verdict for it in report.revisions[0].statements] == [
        it.verdict for it in alone.revisions[0].statements
    ]
    assert report.verdict is alone.verdict
    assert "500" in {sample.failed for sample in report.live["f00d"].samples}
    assert not report.back["f00d"].samples[-1].failed


def test_without_the_service_no_request_is_sent(
    postgres: EmbeddedPostgres, service: Project
) -> None:
    add_revision(service, ADD)

    live = rehearse(service, postgres, service=False).live["f00d"]

    assert live.service == ""
    assert "GET" not in {sample.query.split(" ")[0] for sample in live.samples}


def test_code_that_starts_nowhere_is_told_and_stops_no_rehearsal(
    postgres: EmbeddedPostgres, service: Project
) -> None:
    (service.root / "src" / "app" / "main.py").write_text("raise RuntimeError('on purpose')\n")
    commit(service.root, "does not work")
    add_revision(service, ADD)

    live = rehearse(service, postgres).live["f00d"]

    assert live.service.startswith("old version: none (the code as it is: the service does not")
    assert "on purpose" in live.service
    assert live.sent > 0
    with pytest.raises(RehearsalError, match="on purpose"):
        rehearse(service, postgres, old="HEAD", live=False)


def test_the_commit_before_is_the_one_without_the_file(service: Project) -> None:
    file = add_revision(service, ADD)
    before = git(service.root, "rev-parse", "--short", "HEAD").strip()
    assert [code.revision for code in running_versions(service, file)] == [None, before]
    commit(service.root, "add it")
    assert [code.revision for code in running_versions(service, file)] == [None, before]
    first = min(it for it in file.parent.glob("*.py") if it != file)
    assert running_versions(service, first) == (AS_IT_IS,)
