"""One version after the other on the same port, without losing a request."""

import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.kingpost.server.conftest import Service
from tests.kingpost.server.test_workers import load, more

from kingpost.server import PortTaken
from kingpost.server.sockets import port_of
from kingpost.server.workers import HandoverError, handover, open_or_take, take
from kingpost.server.workers.handover import Handover
from kingpost.settings import ServiceSettings

Start = Callable[..., Service]


@pytest.fixture
def path() -> Iterator[str]:
    """A Unix socket's path has to be short."""
    with tempfile.TemporaryDirectory() as folder:
        yield str(Path(folder) / "h")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_nothing_is_refused_or_lost_while_one_replaces_the_other(start: Start, path: str) -> None:
    old = start(workers=2, handover=path, ops_port=0)
    with load(old.url) as journal:
        for _ in range(3):
            more(old, journal, 50)
            new = start(workers=2, handover=path, port=old.port, ops_port=old.ops_port)
            assert old.process.wait(30) == 0
            assert new.ops("/readyz").status_code == 200
            assert "leaving" in old.text()
            assert "draining" not in old.text()
            old = new

    assert set(journal) == {200}


def test_a_new_one_that_does_not_start_leaves_the_old_one_alone(start: Start, path: str) -> None:
    old = start(handover=path)
    old.wait_for(lambda: Path(path).exists())
    with load(old.url) as journal:
        with pytest.raises(AssertionError, match="no worker starts"):
            start(handover=path, port=old.port, allowed_hosts="fail").wait_for(lambda: False)
        more(old, journal, 20)

    assert set(journal) == {200}
    assert start(handover=path, port=old.port).get("/hello").status_code == 200
    assert old.process.wait(30) == 0


@pytest.mark.parametrize("other", ["port", "ops_port", "host"])
def test_one_that_wants_other_ports_says_so_and_the_old_one_goes_on(
    start: Start, path: str, other: str
) -> None:
    old = start(handover=path, ops_port=0)
    old.wait_for(lambda: Path(path).exists())
    same = {"host": "127.0.0.1", "port": old.port, "ops_port": old.ops_port}
    ports = f"127.0.0.1:{old.port} and 127.0.0.1:{old.ops_port}"

    with pytest.raises(AssertionError, match=f"BindError: .* listens on {ports}, this one wants"):
        start(handover=path, **{**same, other: "127.0.0.2" if other == "host" else 0})

    assert start(handover=path, **same).get("/hello").status_code == 200
    assert old.process.wait(30) == 0


def test_a_killed_one_leaves_a_path_that_the_next_one_replaces(start: Start, path: str) -> None:
    old = start(handover=path)
    old.wait_for(lambda: Path(path).exists())
    old.signal(signal.SIGKILL)
    old.process.wait(30)

    assert take(path) is None
    assert Path(path).stat().st_mode & 0o777 == 0o600


def test_only_one_may_take_over_at_a_time(path: str, listener: socket.socket) -> None:
    offer = Handover(path, [listener])
    first = socket.socket(socket.AF_UNIX)
    first.connect(path)
    assert offer.taken() is False
    second = socket.socket(socket.AF_UNIX)
    second.connect(path)
    assert offer.taken() is False
    assert second.recv(1) == b"b"

    first.sendall(b"s")
    assert offer.taken() is True
    for end in (first, second):
        end.close()
    offer.close()


def test_one_that_is_still_starting_is_waited_for(path: str, listener: socket.socket) -> None:
    settings = ServiceSettings(port=port_of(listener), handover=path)
    with capture_logs() as logs, ThreadPoolExecutor() as pool:
        waiting = pool.submit(open_or_take, settings)
        while not logs and not waiting.done():
            wait([waiting], timeout=0.01)
        assert [line["event"] for line in logs] == ["waiting for the one that has the port"]
        offer = Handover(path, [listener])
        while not waiting.done():
            assert offer.taken() is False

    (inherited,), taken = waiting.result()
    assert inherited.getsockname() == listener.getsockname()
    assert taken is not None
    taken.serving()
    assert offer.taken() is True
    inherited.close()
    offer.close()


def test_a_port_that_nobody_hands_over_says_who_may_have_it(
    path: str, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "WAIT_SECONDS", 0.0)
    settings = ServiceSettings(port=port_of(listener), handover=path)

    with pytest.raises(
        PortTaken, match="still starting after 0 s, or has not BILLS_HANDOVER="
    ) as it:
        open_or_take(settings, "BILLS_")

    assert "set BILLS_PORT to another port" in str(it.value)


def test_a_path_that_cannot_be_used_is_told_in_one_line(listener: socket.socket) -> None:
    with pytest.raises(HandoverError, match="cannot use /nowhere/h to hand the ports over"):
        Handover("/nowhere/h", [listener])
