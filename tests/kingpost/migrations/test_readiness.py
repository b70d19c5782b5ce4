import pytest
from sqlalchemy import text

from kingpost.migrations import upgrade
from kingpost.migrations.engine import migration_engine
from kingpost.migrations.readiness import RevisionMismatch, revision_check
from kingpost.project import Project


async def test_a_database_that_is_behind_the_code_is_not_ready(
    project: Project, empty_database_url: str
) -> None:
    engine = migration_engine(empty_database_url)
    check = revision_check(engine, project.migrations)

    with pytest.raises(RevisionMismatch, match="at revision none"):
        await check()
    upgrade(project, empty_database_url)
    await check()
    await engine.dispose()


async def test_a_database_that_is_ahead_of_the_code_stays_ready(
    project: Project, empty_database_url: str
) -> None:
    upgrade(project, empty_database_url)
    engine = migration_engine(empty_database_url)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'the_next_one'"))

    await revision_check(engine, project.migrations)()

    await engine.dispose()
