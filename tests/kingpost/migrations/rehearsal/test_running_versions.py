"""Which code serves HTTP in a rehearsal, there and back."""

from pathlib import Path

import pytest
from tests.kingpost.migrations.rehearsal.repositories import commit, copied, git

from kingpost.database.url import any_driver
from kingpost.embedded import EmbeddedPostgres
from kingpost.migrations.phases import Phase
from kingpost.migrations.rehearsal.machine import as_json
from kingpost.migrations.rehearsal.rehearse import Options, RehearsalError, rehearse_revisions
from kingpost.migrations.rehearsal.report import Report
from kingpost.migrations.rehearsal.senders import Traffic
from kingpost.migrations.rehearsal.text import as_text
from kingpost.migrations.rehearsal.verdicts import Verdict
from kingpost.migrations.rehearsal.versions import AS_IT_IS, running_versions
from kingpost.migrations.revisions import heads
from kingpost.project import Project
from kingpost.testing.databases import Databases

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
    need_column(service, "mood")

    report = rehearse(service, postgres)

    live, back = report.live["f00d"], report.back["f00d"]
    before = git(service.root, "rev-parse", "--short", "HEAD").strip()
    assert live.service == (
        f"old version: commit {before}, before the revision was added; "
        "new version: the code as it is"
    )
    assert report.verdict is Verdict.BRIEF_LOCK
    for seen in (live, back):
        sent = {sample.query.split(" ")[0] for sample in seen.samples}
        assert sent >= {"GET", "SELECT"}
        assert seen.failed == 0
    assert [index for index, _, _ in back.statements] == [1]
    document = as_json(report)
    assert document["live_back"]["f00d"]["sent"] == back.sent
    assert "The way back under traffic: " in as_text(report)
    assert "The service's HTTP API: old version: commit " in as_text(report)
    assert git(service.root, "worktree", "list").count("\n") == 1


def test_what_the_live_pass_sees_of_the_service_decides_nothing(
    postgres: EmbeddedPostgres, service: Project
) -> None:
    add_revision(service, RENAME)

    report = rehearse(service, postgres)

    without = rehearse(service, postgres, service=False)
    assert [it.verdict for it in report.revisions[0].statements] == [
        it.verdict for it in without.revisions[0].statements
    ]
    assert report.verdict is without.verdict
    assert "500" in {sample.failed for sample in report.live["f00d"].samples}
    assert not report.back["f00d"].samples[-1].failed
    assert without.live["f00d"].service == ""
    assert "GET" not in {sample.query.split(" ")[0] for sample in without.live["f00d"].samples}


def test_code_that_starts_nowhere_is_told_and_stops_no_rehearsal(
    postgres: EmbeddedPostgres, service: Project
) -> None:
    (service.root / "src" / "app" / "main.py").write_text("raise RuntimeError('on purpose')\n")
    commit(service.root, "does not work")
    add_revision(service, ADD)

    live = rehearse(service, postgres).live["f00d"]

    before = git(service.root, "rev-parse", "--short", "HEAD").strip()
    assert live.service.startswith(f"old version: none (commit {before}, before the revision was")
    assert "; the code as it is: the service does not start: " in live.service
    assert live.service.count("on purpose") == 3
    assert live.sent > 0
    with pytest.raises(RehearsalError, match="on purpose"):
        rehearse(service, postgres, old="HEAD", live=False)


def test_without_git_there_is_no_version_before_to_serve(
    postgres: EmbeddedPostgres, databases: Databases, project: Project
) -> None:
    with databases.copy() as name:
        traffic = Traffic.of_service(project, None, (AS_IT_IS,))
        with traffic.live(postgres.url(name, any_driver()), (), "kingpost-nobody") as running:
            served = running.service

    assert served.startswith("old version: none (the code as it is: the service does not start: ")
    assert served.endswith(
        "; git has no commit without the revision, so no version before to serve)"
    )


def test_the_commit_before_is_the_one_without_the_file(service: Project) -> None:
    file = add_revision(service, ADD)
    before = git(service.root, "rev-parse", "--short", "HEAD").strip()
    assert running_versions(service, file, "expand")[0].revision == before
    commit(service.root, "add it")
    first = min(it for it in file.parent.glob("*.py") if it != file)

    def revisions(file: Path, phase: Phase) -> list[str | None]:
        return [code.revision for code in running_versions(service, file, phase)]

    assert revisions(file, "expand") == [before, None]
    assert revisions(file, "contract") == [None, before]
    assert running_versions(service, first, "expand") == (AS_IT_IS,)
