import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy.engine import make_url

ROOT = Path(__file__).parents[3]
CONFIGURATION = """
[databases]
* = host={server} user=postgres
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = 5432
auth_type = any
pool_mode = transaction
default_pool_size = 2
max_client_conn = 100
"""


@pytest.fixture(scope="session")
def pgbouncer_program() -> Path:
    """PgBouncer, from PATH or from `scripts/install-pgbouncer`; in CI it has to be there."""
    if found := shutil.which("pgbouncer"):
        return Path(found)
    done = subprocess.run(
        [ROOT / "scripts" / "install-pgbouncer"], check=False, capture_output=True, text=True
    )
    if done.returncode == 0:
        return ROOT / ".servers" / "pgbouncer" / "pgbouncer"
    if os.environ.get("CI"):
        pytest.fail(done.stderr)
    pytest.skip(f"PgBouncer is not there: {done.stderr.strip()}")


@pytest.fixture
def pgbouncer_url(pgbouncer_program: Path, library_url: str) -> Iterator[str]:
    """The library behind PgBouncer: transaction mode over two server connections."""
    url = make_url(library_url)
    with (
        TemporaryDirectory(prefix="kp", dir="/tmp") as folder,
        _running(pgbouncer_program, Path(folder), str(url.query["host"])),
    ):
        yield url.update_query_dict({"host": folder}).render_as_string(hide_password=False)


@contextmanager
def _running(program: Path, folder: Path, server: str) -> Iterator[None]:
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(CONFIGURATION.format(folder=folder, server=server))
    process = subprocess.Popen(
        [_for_everybody(program, folder), "-q", configuration],
        user=_hand_over(folder, Path(server)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not (folder / ".s.PGSQL.5432").exists():
            assert process.poll() is None, "PgBouncer did not start"
            time.sleep(0.01)
        yield
    finally:
        process.kill()
        process.wait()


def _for_everybody(program: Path, folder: Path) -> Path:
    """Another account may not be able to look into the project's folder."""
    if not program.is_relative_to(ROOT):
        return program
    shutil.copytree(program.parent, folder / "program")
    return folder / "program" / program.name


def _hand_over(folder: Path, server: Path) -> int | None:
    """PgBouncer refuses to run as root, so it gets the account of PostgreSQL."""
    if os.geteuid() != 0:
        return None
    uid = server.stat().st_uid
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, -1)
    return uid
