"""Whatever is in the way, there is one clear line with the way out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kingpost.embedded import EmbeddedError, EmbeddedPostgres, account, binaries, cluster, process
from kingpost.embedded.account import account_for


def the_line(folder: Path, **options: int) -> str:
    server = EmbeddedPostgres(folder, **options)
    with pytest.raises(EmbeddedError) as caught:
        server.start()
    message = str(caught.value)
    assert "\n" not in message
    assert server.stop() is None
    return message


def test_data_of_another_major_version_is_left_alone(folder: Path) -> None:
    (folder / "data" / "PG_VERSION").write_text("16\n")

    assert "is of PostgreSQL 16, not 18: move it away" in the_line(folder)
    assert (folder / "data" / "base").is_dir()


def test_a_version_without_a_wheel_is_refused(tmp_path: Path) -> None:
    assert "no embedded PostgreSQL 12" in the_line(tmp_path / "pg", major=12)


def test_a_folder_that_cannot_be_made_names_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert "choose another folder" in the_line(tmp_path / "file" / "pg")


def test_a_folder_that_is_not_writable_names_the_user(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    code = (
        "import os, sys; from pathlib import Path\n"
        "from kingpost.embedded import EmbeddedPostgres\n"
        "if os.geteuid() == 0:\n"
        "    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: EmbeddedPostgres(Path(sys.argv[1])).start()\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    for parent in (tmp_path, *tmp_path.parents[:2]):  # so that only the last is in the way
        parent.chmod(0o755)

    done = subprocess.run(
        [sys.executable, "-c", code, str(closed / "pg")], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("EmbeddedError ")
    assert "is not writable by user" in done.stdout
    assert "chown" in done.stdout


def test_a_full_disk_is_seen_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_NEW_DATA_BYTES", 10**18)

    assert "is full: free at least 200 MB" in the_line(tmp_path / "pg")
    assert not (tmp_path / "pg" / "data").exists()


def test_a_disk_that_fills_up_during_the_start_is_named(tmp_path: Path) -> None:
    output = "PANIC:  could not write to file: No space left on device\nFATAL: aborted"

    assert "is full" in str(cluster.creation_failed(tmp_path, output))


def test_a_server_that_does_not_come_up_is_quoted(folder: Path) -> None:
    (folder / "data" / "postgresql.auto.conf").write_text("max_connections = 'many'\n")
    (folder / "data" / "postgresql.conf").write_text("no_such_setting = 1\n")

    message = the_line(folder)

    assert "FATAL" in message
    (folder / "data" / "postgresql.auto.conf").write_text("")
    (folder / "data" / "postgresql.conf").write_text("")


def test_a_socket_folder_of_somebody_else_is_not_used(folder: Path) -> None:
    mine = account_for(folder / "data")
    sockets = process.socket_folder(folder, mine)
    sockets.mkdir(mode=0o755)
    sockets.chmod(0o755)

    assert "was made by somebody else" in the_line(folder)
    sockets.rmdir()


def test_root_without_setpriv_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "_SYSTEM_PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert "install util-linux" in the_line(tmp_path / "pg")


def test_a_missing_wheel_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda _: None)

    assert "pip install 'kingpost[embedded]'" in the_line(tmp_path / "pg")
