import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kingpost.testing.process import ServerFailed, ServerProcess, free_port, wait_for

OBEDIENT = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit({code}))
print("up", flush=True)
signal.pause()
"""
Start = Callable[[str], ServerProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a Python program in place of a server."""
    with ExitStack() as stack:

        def started(code: str) -> ServerProcess:
            log = tmp_path / "log"
            with log.open("wb") as file:
                process = subprocess.Popen([sys.executable, "-c", code], stdout=file, stderr=file)
            stack.callback(process.wait)
            stack.callback(process.kill)
            url = f"http://127.0.0.1:{free_port()}"
            return ServerProcess(url, url, process, log, database_url="", environ={})

        yield started


def until_up(server: ServerProcess) -> ServerProcess:
    wait_for(lambda: "up" in server.log.read_text(), 30, lambda: AssertionError("never up"))
    return server


def test_a_server_that_ends_well_after_sigterm_is_fine(start: Start) -> None:
    server = until_up(start(OBEDIENT.format(code=0)))

    server.close()
    assert server.process.returncode == 0


def test_another_exit_code_fails_with_the_log(start: Start) -> None:
    server = until_up(start(OBEDIENT.format(code=3)))

    with pytest.raises(ServerFailed, match="exit code 3 after SIGTERM\nup"):
        server.close()


def test_a_server_that_the_test_has_killed_is_not_judged(start: Start) -> None:
    server = until_up(start(OBEDIENT.format(code=3)))

    assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    server.close()


def test_a_server_that_ends_at_once_fails_with_its_log(start: Start) -> None:
    server = start("raise SystemExit('the port is taken')")

    with pytest.raises(ServerFailed, match=r"ended instead of serving\n.*the port is taken"):
        server.wait_until_ready()


def test_a_server_knows_its_port_and_the_header_for_its_key(start: Start) -> None:
    server = start("")

    assert server.url.endswith(f":{server.port}")
    assert server.headers == {}


def test_waiting_is_bounded() -> None:
    with pytest.raises(LookupError):
        wait_for(lambda: False, 0, LookupError)
