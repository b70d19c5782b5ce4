from pathlib import Path

import pytest

from kingpost.migrations import downgrade, upgrade
from kingpost.migrations.engine import migration_engine
from kingpost.migrations.readiness import RevisionMismatch, revision_check


async def test_the_service_is_ready_only_at_the_revision_of_its_code(
    migrations: Path, empty_database_url: str
) -> None:
    engine = migration_engine(empty_database_url)
    check = revision_check(engine, migrations)

    with pytest.raises(RevisionMismatch, match="at revision none, the code needs r2"):
        await check()
    upgrade(migrations, empty_database_url)
    await check()
    downgrade(migrations, empty_database_url, "r1")
    with pytest.raises(RevisionMismatch, match="at revision r1"):
        await check()
    await engine.dispose()
