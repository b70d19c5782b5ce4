"""A small service in a folder of its own: the command line must work for any service."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from tests.kingpost.cli.shell import Shell

from kingpost.embedded import EmbeddedPostgres

KINGPOST = Path(sys.executable).with_name("kingpost")

PYPROJECT = """
[tool.kingpost]
app = "tiny.main:create_app"
settings = "tiny.settings:Settings"
metadata = "tiny.tables:metadata"
migrations = "src/tiny/migrations"
env_prefix = "TINY_"

[tool.alembic]
script_location = "%(here)s/src/tiny/migrations"
prepend_sys_path = ["%(here)s/src"]
path_separator = "os"
"""

SETTINGS = """
from pydantic import Field
from kingpost.settings import ServiceSettings

class Settings(ServiceSettings):
    greeting: str = Field("hello", description="what it says")
"""

TABLES = """
from sqlalchemy import ARRAY, Column, DateTime, MetaData, Table, Text, Uuid, func

metadata = MetaData()
keys = Table(
    "keys", metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True)),
    Column("last_used_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
)
"""

MAIN = """
import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from fastapi import FastAPI, Request
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import create_async_engine

from kingpost.problems import FieldError, Invalid
from tiny.tables import keys

class Keys:
    def __init__(self, engine):
        self.engine = engine

    async def _one(self, statement):
        async with self.engine.begin() as connection:
            return (await connection.execute(statement)).one()

    async def create(self, name, scopes, expires_in_days=None):
        expires = expires_in_days and datetime.now(UTC) + timedelta(days=expires_in_days)
        if "everything" in scopes:
            raise Invalid(errors=[FieldError("/body/scopes/0", "unknown", "No such scope.")])
        values = dict(id=uuid.uuid4(), name=name, scopes=list(scopes), expires_at=expires)
        values["key"] = "tiny_" + uuid.uuid4().hex
        return await self._one(insert(keys).values(**values).returning(keys))

    async def list(self):
        async with self.engine.connect() as connection:
            return (await connection.execute(select(keys))).all()

    async def revoke(self, key_id):
        await self._one(
            update(keys).where(keys.c.id == key_id).values(revoked_at=func.now()).returning(keys)
        )

    async def rotate(self, key_id):
        row = await self._one(select(keys).where(keys.c.id == key_id))
        return await self.create(row.name, row.scopes)

    def all_scopes(self):
        return ["things:read", "things:*"]

def create_app(settings):
    engine = create_async_engine(settings.database_url.get_secret_value())
    app = FastAPI()
    app.state.kingpost = SimpleNamespace(
        database=SimpleNamespace(close=engine.dispose), keys=Keys(engine)
    )

    @app.get("/readyz")
    async def ready():
        return {"greeting": settings.greeting, "keys": len(await app.state.kingpost.keys.list())}

    @app.get("/items/{item_id}", name="get_item")
    async def item(item_id: int):
        return item_id

    return app
"""

ENVIRONMENT = """
import os
from kingpost.migrations import environment
from tiny.tables import metadata

environment.run(metadata, environ=os.environ)
"""

REVISION = '''
"""The table of keys."""

from alembic import op
from tiny.tables import keys

revision = "a1"
down_revision = None
branch_labels = None
depends_on = None

def upgrade():
    keys.create(op.get_bind())

def downgrade():
    keys.drop(op.get_bind())
'''


class TinyService:
    """The folder of a service and the processes started in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._started: list[subprocess.Popen[str]] = []

    @property
    def data(self) -> Path:
        return self.root / ".kingpost" / "postgres"

    def run(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        program: str = "kingpost",
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(KINGPOST.with_name(program)), *arguments],
            cwd=self.root,
            env=environment(env),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a background job of a shell
            signal.signal(signal.SIGINT, signal.default_int_handler)
        with (self.root / "out").open("w") as out:
            process = subprocess.Popen(
                [str(KINGPOST), *arguments],
                cwd=self.root,
                env=environment(env),
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def output(self) -> str:
        return (self.root / "out").read_text()

    def close(self) -> None:
        for process in self._started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if (self.data / "data").exists():
            server = EmbeddedPostgres(self.data)
            server.start()
            server.stop()


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TINY_")}
    return kept | dict(extra or {})


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[TinyService]:
    package = tmp_path / "src" / "tiny"
    files = {
        tmp_path / "pyproject.toml": PYPROJECT,
        package / "__init__.py": "",
        package / "settings.py": SETTINGS,
        package / "tables.py": TABLES,
        package / "main.py": MAIN,
        package / "migrations" / "env.py": ENVIRONMENT,
        package / "migrations" / "versions" / "a1_keys.py": REVISION,
    }
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(content))
    service = TinyService(tmp_path)
    yield service
    service.close()


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, "the condition never came to hold"
            time.sleep(0.05)

    return wait


@pytest.fixture
def db(
    tiny: TinyService,
    empty_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Shell:
    monkeypatch.chdir(tiny.root)
    monkeypatch.setenv("TINY_DATABASE_URL", empty_database_url)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "tiny"]:
        monkeypatch.delitem(sys.modules, name)
    return Shell(tiny.root, empty_database_url, capsys)
