import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from kingpost.embedded import EmbeddedError, EmbeddedPostgres
from kingpost.embedded.process import running_pid


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_both_drivers_reach_the_server_by_its_url(folder: Path, driver: Any) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        engine = create_async_engine(server.url("app", driver))
        async with engine.connect() as connection:
            version = await connection.scalar(text("SHOW server_version_num"))
        await engine.dispose()

    assert 180000 <= int(str(version)) < 190000


def test_an_empty_folder_becomes_a_server_with_private_data(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "a" / "b", durable=False) as server:
        assert server.databases() == {"postgres"}
        assert (tmp_path / "a" / "b" / "data").stat().st_mode & 0o777 == 0o700
        assert Path(server.host).stat().st_mode & 0o777 == 0o700
        assert len(server.host) <= 80


def test_it_works_inside_a_folder_closed_to_everybody_else(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    with EmbeddedPostgres(closed / "pg", durable=False) as server:
        assert "postgres" in server.databases()


def test_databases_are_made_copied_and_dropped_by_any_name(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        server.create_database('a "quoted" name')
        server.create_database("copy", template='a "quoted" name')
        assert {'a "quoted" name', "copy"} <= server.databases()

        server.drop_database('a "quoted" name')
        server.drop_database("never there")
        assert 'a "quoted" name' not in server.databases()
        with pytest.raises(EmbeddedError, match="already exists"):
            server.create_database("copy")


def test_data_is_there_after_a_restart(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        server.create_database("kept")

    assert running_pid(folder / "data") is None
    with EmbeddedPostgres(folder, durable=False) as server:
        assert "kept" in server.databases()


def test_starting_twice_is_starting_once(folder: Path) -> None:
    server = EmbeddedPostgres(folder, durable=False)
    server.start()
    first = running_pid(folder / "data")
    server.start()

    assert running_pid(folder / "data") == first
    server.stop()
    assert running_pid(folder / "data") is None
    server.stop()


def test_the_server_stops_when_its_last_user_leaves(
    folder: Path, sharer: Callable[[], Any]
) -> None:
    one, other = sharer(), sharer()
    pid = running_pid(folder / "data")
    assert pid is not None

    one.leave()
    assert running_pid(folder / "data") == pid
    other.leave()
    assert running_pid(folder / "data") is None


def test_processes_that_start_at_once_share_one_server(
    folder: Path, sharer: Callable[[], Any]
) -> None:
    with ThreadPoolExecutor(4) as threads:
        sharers = [future.result() for future in [threads.submit(sharer) for _ in range(4)]]

    assert running_pid(folder / "data") is not None
    for one in sharers:
        one.leave()
    assert running_pid(folder / "data") is None


def test_a_server_left_by_a_killed_process_is_adopted(
    folder: Path, sharer: Callable[[], Any]
) -> None:
    sharer().kill()
    left_over = running_pid(folder / "data")
    assert left_over is not None

    with EmbeddedPostgres(folder, durable=False) as server:
        assert running_pid(folder / "data") == left_over
        assert "app" in server.databases()
    assert running_pid(folder / "data") is None


def test_a_killed_server_starts_again(folder: Path) -> None:
    server = EmbeddedPostgres(folder, durable=False)
    server.start()
    pid = running_pid(folder / "data")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)

    server.start()

    assert running_pid(folder / "data") not in {None, pid}
    assert "app" in server.databases()
    server.stop()


def test_a_pid_file_that_names_a_stranger_does_not_block(folder: Path) -> None:
    (folder / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder / 'data'}\n")

    with EmbeddedPostgres(folder, durable=False) as server:
        assert "app" in server.databases()


def test_what_needs_a_server_says_that_it_is_not_started(folder: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"call start\(\) first"):
        EmbeddedPostgres(folder).url("app")
