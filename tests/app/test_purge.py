"""`kingpost idempotency purge`, as it is typed."""

import os
import subprocess
import sys
from typing import Any

import pytest

from kingpost.testing.databases import execute

ROW = """
    INSERT INTO idempotency_keys SELECT 'key:1', sha256(n::text::bytea), 'POST /', 'f', false, 201,
        '[]', '', now(), now() + make_interval(days => CASE WHEN n > 2 THEN 1 ELSE -1 END)
    FROM generate_series(1, 5) n
"""


@pytest.fixture
def purge(project: Any, service_environ: dict[str, str], database_url: str) -> Any:
    def run(*options: str) -> str:
        environ = {**os.environ, **service_environ, "APP_DATABASE_URL": database_url}
        code = "import sys; from kingpost.cli.main import main; sys.exit(main(sys.argv[1:]))"
        command = [sys.executable, "-c", code, "idempotency", "purge", *options]
        done = subprocess.run(
            command, cwd=project.root, env=environ, check=True, capture_output=True, text=True
        )
        return done.stdout

    return run


def test_expired_answers_are_counted_and_then_deleted(purge: Any, database_url: str) -> None:
    execute(database_url, ROW)

    assert purge("--dry-run") == "2 expired answers would be deleted\n"
    assert purge() == "deleted 2 expired answers\n"
    assert execute(database_url, "SELECT count(*) FROM idempotency_keys")[0][0] == 3


def test_a_single_expired_answer_is_counted_in_the_singular(purge: Any, database_url: str) -> None:
    execute(database_url, ROW.replace("n > 2", "n > 1"))

    assert purge("--dry-run") == "1 expired answer would be deleted\n"
    assert purge() == "deleted 1 expired answer\n"
