"""`kingpost dev` as a developer meets it: real processes, real signals, a real PostgreSQL."""

import os
import re
import shlex
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from kingpost.embedded.process import running_pid

Until = Callable[[Callable[[], bool]], None]


@pytest.fixture
def serving(tiny: Any, port: int, until: Until) -> Callable[..., subprocess.Popen[str]]:
    def start(*arguments: str, **env: str) -> subprocess.Popen[str]:
        process: subprocess.Popen[str] = tiny.start("dev", *arguments, TINY_PORT=str(port), **env)

        def ready() -> bool:
            assert process.poll() is None, tiny.output()
            return answer(port) is not None

        until(ready)
        return process

    return start


def answer(port: int) -> Any:
    try:
        response = httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False)
    except httpx.TransportError:
        return None
    return response.json()


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_the_first_run_makes_a_key_and_a_curl_that_works(
    tiny: Any, serving: Callable[..., Any], port: int
) -> None:
    serving()
    shown = tiny.output()

    assert f"http://127.0.0.1:{port}\n" in shown
    assert f"http://127.0.0.1:{port}/docs" in shown
    assert re.search(r"API key +tiny_[0-9a-f]{32} ", shown)
    curl = re.search(r"curl .*", shown)
    assert curl is not None
    pasted = subprocess.run(shlex.split(curl[0]), capture_output=True, text=True, check=True)
    assert '"keys":1' in pasted.stdout


@pytest.mark.parametrize(
    ("how", "arguments"),
    [(signal.SIGINT, ()), (signal.SIGTERM, ()), (signal.SIGTERM, ("--no-reload",))],
)
def test_a_signal_ends_everything_with_exit_code_0(
    tiny: Any, serving: Callable[..., Any], port: int, how: signal.Signals, arguments: tuple[str]
) -> None:
    process = serving(*arguments)
    os.killpg(process.pid, how) if how is signal.SIGINT else process.send_signal(how)

    assert process.wait(60) == 0
    assert port_is_free(port)
    assert running_pid(tiny.data / "data") is None


def test_after_sigkill_the_next_run_finds_its_data_and_makes_no_second_key(
    tiny: Any, serving: Callable[..., Any], port: int, until: Until
) -> None:
    process = serving()
    process.kill()
    process.wait()
    until(lambda: port_is_free(port))
    assert running_pid(tiny.data / "data") is not None

    again = serving()

    assert answer(port) == {"greeting": "hello", "keys": 1}
    assert "tiny_" not in tiny.output()
    again.terminate()
    assert again.wait(60) == 0
    assert running_pid(tiny.data / "data") is None


def test_a_changed_file_is_served_without_a_restart(
    tiny: Any, serving: Callable[..., Any], port: int, until: Until
) -> None:
    serving()
    main = tiny.root / "src" / "tiny" / "main.py"
    main.write_text(main.read_text().replace("settings.greeting", '"changed"'))

    until(lambda: (answer(port) or {}).get("greeting") == "changed")


def test_settings_reach_the_served_process(
    serving: Callable[..., Any], port: int, tiny: Any
) -> None:
    (tiny.root / ".env").write_text("TINY_GREETING=from a file\n")
    serving()

    assert answer(port)["greeting"] == "from a file"


def test_a_taken_port_is_one_line_before_the_database_is_started(tiny: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1])
        done = tiny.run("dev", "--port", number)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert number in done.stderr
    assert "TINY_PORT" in done.stderr
    assert not tiny.data.exists()


def test_the_embedded_server_is_refused_in_production(tiny: Any) -> None:
    production = {"TINY_ENVIRONMENT": "production", "TINY_SECRET": "s" * 40}

    for command in (("dev",), ("keys", "list"), ("db", "url"), ("db", "reset", "--yes")):
        done = tiny.run(*command, env=production)
        assert done.returncode == 1, command
        assert "production" in done.stderr
        assert done.stderr.count("\n") == 1
    assert not tiny.data.exists()


def test_a_folder_that_cannot_hold_the_database_is_one_line(tiny: Any) -> None:
    Path(tiny.root / ".kingpost").mkdir()
    (tiny.root / ".kingpost" / "postgres").write_text("in the way")

    done = tiny.run("dev", env={"TINY_PORT": "0"})

    assert done.returncode == 1
    assert done.stderr.startswith("kingpost: ")
    assert done.stderr.count("\n") == 1
    (tiny.root / ".kingpost" / "postgres").unlink()
