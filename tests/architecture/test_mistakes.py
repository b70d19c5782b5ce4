"""The mistakes that the two articles warn of, each with what makes it impossible or caught."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select
from tests.architecture.rules import RULES
from tests.architecture.source import ROOT, source

from app.db.models import User
from kingpost.database import Database, DatabaseOptions, Transaction, UrlError

MISSING_AWAIT = """
async def create() -> None: ...

async def route() -> None:
    create()
"""
FORGOTTEN = """
async def create() -> None: ...

async def test_awaited() -> None:
    await create()

async def test_forgotten() -> None:
    create()
"""


@pytest.mark.parametrize(
    ("mistake", "rule"),
    [
        ("session.query(User).all()", "no query of the synchronous session"),
        ("async def f():\n    requests.get(url)", "nothing waits inside async code"),
        ("db = SessionLocal()\nSessionLocal = async_sessionmaker()", "no session by hand"),
        ("await db.commit()", "only the unit of work ends a transaction"),
        ("name = Column(String)", "a column says whether it may be null"),
    ],
)
def test_a_rule_catches(mistake: str, rule: str) -> None:
    file = source("app/services/example.py", mistake)

    assert any(rule in line for r in RULES for line in r.broken_in(file))


def test_mypy_catches_a_missing_await(tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(MISSING_AWAIT)
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")]
    command += ["--cache-dir", str(tmp_path / "cache"), "example.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "[unused-coroutine]" in done.stdout


def test_a_forgotten_coroutine_fails_its_test(tmp_path: Path) -> None:
    (tmp_path / "test_example.py").write_text(FORGOTTEN)
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml")]
    command += ["--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "coroutine 'create' was never awaited" in done.stdout
    assert "1 passed, 1 failed" in done.stdout or "1 failed, 1 passed" in done.stdout


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_a_synchronous_url_is_refused_with_the_right_spelling(scheme: str) -> None:
    with pytest.raises(UrlError, match=r"postgresql\+asyncpg://"):
        DatabaseOptions(url=f"{scheme}://localhost/app")


async def test_a_failing_use_case_leaves_nothing_behind(database: Database) -> None:
    async def add_and_fail(tx: Transaction) -> None:
        tx.session.add(User(email="ada@example.org"))
        await tx.session.flush()
        raise LookupError

    with pytest.raises(LookupError):
        await database.unit_of_work().run(add_and_fail)

    assert await database.read(lambda s: s.scalar(select(func.count(User.id)))) == 0


async def test_a_duplicate_is_a_conflict_that_names_the_field(client: httpx.AsyncClient) -> None:
    first, second = [
        await client.post("/api/v1/users/", json={"email": "ada@example.org", "is_active": True})
        for _ in range(2)
    ]

    assert first.status_code == 201, first.text
    assert second.status_code == 409
    assert [error["pointer"] for error in second.json()["errors"]] == ["/body/email"]
