"""What is installed is the library alone, and its parts do not drag each other in."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OTHER_EXTRAS = ("fastapi", "starlette", "pydantic", "structlog", "uvicorn", "alembic", "pytest")


def test_the_wheel_holds_the_library_and_not_the_service(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.partition("/")[0] for name in names} == {
        "kingpost",
        wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info",
    }
    assert "kingpost/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_the_database_layer_works_with_nothing_but_its_own_dependencies(driver: str) -> None:
    program = f"""
import sys
for name in {OTHER_EXTRAS!r}:
    sys.modules[name] = None
import kingpost.pagination
from kingpost.database import Database, DatabaseOptions
from sqlalchemy import MetaData
Database(DatabaseOptions(url="postgresql+{driver}:///x"), metadata=MetaData())
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_pytest_starts_without_loading_what_only_some_tests_need() -> None:
    program = """
import sys
import kingpost.testing.plugin
heavy = {"fastapi", "sqlalchemy", "alembic", "uvicorn", "httpx"} & sys.modules.keys()
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_command_without_its_extra_says_in_one_line_what_to_install() -> None:
    program = "import sys; sys.modules['pydantic'] = None; import kingpost.cli.main"
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )

    assert done.returncode == 1
    assert done.stderr == "kingpost: pydantic is missing: pip install 'kingpost[cli]'\n"
