import subprocess
import sys

SCRIPT = """
import sys
for name in ("fastapi", "pydantic", "structlog", "starlette", "uvicorn", "alembic", {absent!r}):
    sys.modules[name] = None  # importing it fails
import kingpost.database, kingpost.pagination
from sqlalchemy import MetaData
options = kingpost.database.DatabaseOptions("postgresql+{present}://kay@db/library")
kingpost.database.Database(options, metadata=MetaData())
"""


def test_the_database_layer_needs_one_driver_and_no_web_framework() -> None:
    for present, absent in (("asyncpg", "psycopg"), ("psycopg", "asyncpg")):
        script = SCRIPT.format(present=present, absent=absent)
        subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)
