"""Three deploys change the schema while clients read and write, with others in the way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.migrations.performance import Plan, perform
from benchmarks.migrations.versions import ALEMBIC, KINGPOST

from kingpost.embedded import EmbeddedPostgres
from kingpost.testing.databases import Databases, execute

# A slow machine must not fail a request, so the service waits longer than usual for everything.
PATIENT = {
    "APP_REQUEST_TIMEOUT": "40",
    "APP_STATEMENT_TIMEOUT": "30",
    "APP_LOCK_TIMEOUT": "20",
    "APP_ACQUIRE_TIMEOUT": "15",
}
PLAN = Plan(rate=100, warm_up=0, quiet=0.3, reader=0, gives_way=2, settings=PATIENT)
# Here it is as usual, and the reader stays for longer than a request waits for a lock.
IMPATIENT = Plan(rate=100, warm_up=0, quiet=0.3, reader=3, deploys=1)
POSTS = 5_000

FILL_USERS = """
    INSERT INTO users (id, email, name)
    SELECT gen_random_uuid(), 'user' || n || '@example.org', 'User ' || n
    FROM generate_series(1, 2000) AS n
"""
FILL_POSTS = """
    INSERT INTO posts (id, title, content, author_id)
    SELECT gen_random_uuid(), 'On night ' || n, 'Rows and rows.',
           (SELECT id FROM users WHERE email = 'user' || 1 + n % 2000 || '@example.org')
    FROM generate_series(1, 5000) AS n
"""
COLUMNS = """
    SELECT table_name || '.' || column_name, is_nullable, character_maximum_length
    FROM information_schema.columns
    WHERE table_name IN ('users', 'posts') AND column_name IN ('name', 'slug', 'is_active')
    ORDER BY 1
"""
INVALID = """
    SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid
    UNION ALL SELECT conname FROM pg_constraint WHERE NOT convalidated
"""

# Half a minute is enough; the benchmark has an option for the other one.
on_one_driver = pytest.mark.parametrize("driver", ["asyncpg"], indirect=True)


@pytest.fixture
def stage(
    postgres: EmbeddedPostgres, databases: Databases, migrated_template: str, driver: Any
) -> Iterator[str]:
    """The URL of a database with users and posts."""
    with databases.copy(migrated_template) as name:
        url = postgres.url(name, driver)
        execute(url, FILL_USERS, FILL_POSTS, "ANALYZE")
        yield url


@on_one_driver
async def test_no_client_notices_three_deploys_that_change_the_schema(
    stage: str, tmp_path: Path
) -> None:
    done = await perform(KINGPOST, stage, tmp_path, plan=PLAN)

    assert done.failures == {}
    assert done.lost == []
    assert len(done.requests) > 500
    assert all(reader.met is not None for reader in done.readers), "no reader was in the way"
    for runs in done.runs.values():
        assert [run.code for run in runs] == [0, 0], [run.text for run in runs]
        assert sorted(bool(run.steps) for run in runs) == [False, True]
    assert [tuple(row) for row in execute(stage, COLUMNS)] == [
        ("posts.slug", "NO", 200),
        ("users.name", "YES", 300),
    ]
    assert execute(stage, INVALID) == []
    [[rows, slugs]] = execute(stage, "SELECT count(*), count(slug) FROM posts")
    assert rows == slugs > POSTS


@on_one_driver
async def test_with_alembic_alone_clients_do_notice(stage: str, tmp_path: Path) -> None:
    """What shows that the stage sees who fails: a reader, a queue behind it, and two runners."""
    done = await perform(ALEMBIC, stage, tmp_path, plan=IMPATIENT)

    assert done.failures
    assert sorted(run.code for run in done.runs[1])[:2] == [0, 1]
