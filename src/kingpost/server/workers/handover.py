"""Hands listening sockets from one supervisor to the next, over a Unix socket.

Both then own the same sockets, so the connections that wait in them outlive the first owner.
With sockets of their own on one port (SO_REUSEPORT) the kernel resets what waits in the one
that is closed (socket(7), net.ipv4.tcp_migrate_req).
"""

import contextlib
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

from kingpost.server.sockets import PortTaken, open_ports
from kingpost.settings import ServiceSettings

GIVEN, BUSY, SERVING = b"g", b"b", b"s"
MOST_SOCKETS = 16
SECONDS = 10.0
WAIT_SECONDS, PAUSE = 15.0, 0.1

_log = structlog.get_logger("kingpost.server.workers")


class HandoverError(Exception):
    """The ports cannot be taken over; the message is one line with the way out."""


class Taken:
    """Sockets that were taken over; the one before goes on until it is told `serving`.

    Args:
        sockets: the listening ones.
        wire: to the one before.
    """

    def __init__(self, sockets: list[socket.socket], wire: socket.socket) -> None:
        self.sockets = sockets
        self._wire = wire

    def serving(self) -> None:
        """Tells the one before that it may leave."""
        with contextlib.suppress(OSError):  # it is gone already
            self._wire.sendall(SERVING)
        self.forget()

    def forget(self) -> None:
        """Lets go of the one before without a word: it goes on."""
        self._wire.close()


def take(path: str | None) -> Taken | None:
    """Takes the listening sockets of whoever serves now.

    Args:
        path: of the Unix socket; None takes nothing.

    Returns:
        The sockets, or None when nobody is there.

    Raises:
        HandoverError: another one is just taking them, or the path cannot be used.
    """
    if path is None:
        return None
    wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    wire.settimeout(SECONDS)
    try:
        wire.connect(path)
        word, numbers, _, _ = socket.recv_fds(wire, 1, MOST_SOCKETS)
    except (FileNotFoundError, ConnectionError):
        wire.close()
        return None
    except OSError as error:
        wire.close()
        raise _unusable(path, error) from error
    if word != GIVEN:
        wire.close()
        raise HandoverError(f"another start is taking over at {path}: wait for it, or end it")
    sockets = [socket.socket(fileno=number) for number in numbers]
    for listener in sockets:
        listener.setblocking(False)
    return Taken(sockets, wire)


def open_or_take(
    settings: ServiceSettings, prefix: str = "APP_"
) -> tuple[list[socket.socket], Taken | None]:
    """Opens the ports of a service, or takes them from the one that serves them.

    One that is still starting, or about to end, has the port and does not hand it over: with
    `settings.handover` it is waited for, for `WAIT_SECONDS`.

    Args:
        settings: host, ports and handover.
        prefix: of the settings' names, for the message.

    Returns:
        The listening sockets, as `open_ports` returns them, and where they come from.

    Raises:
        PortTaken: a port is in use, and not handed over.
        BindError: a port cannot be used for another reason, or the one that serves has others.
        HandoverError: another one is just taking them, or the path cannot be used.
    """
    end = time.monotonic() + WAIT_SECONDS
    told = settings.handover is None
    while True:
        taken = take(settings.handover)
        try:
            return open_ports(settings, prefix, taken.sockets if taken else ()), taken
        except PortTaken as error:
            if settings.handover is None:
                raise
            if time.monotonic() >= end:
                raise PortTaken(_not_handed_over(error, settings.handover, prefix)) from error
        if not told:
            _log.info("waiting for the one that has the port", seconds=WAIT_SECONDS)
            told = True
        time.sleep(PAUSE)


def _not_handed_over(error: PortTaken, path: str, prefix: str) -> str:
    return (
        f"{error}; if it is this service, it is still starting after {WAIT_SECONDS:g} s, "
        f"or has not {prefix}HANDOVER={path}"
    )


class Handover:
    """Offers listening sockets to the next one.

    Args:
        path: of the Unix socket; one that is there is replaced, in one step.
        listeners: the sockets.

    Raises:
        HandoverError: the path cannot be used.
    """

    def __init__(self, path: str, listeners: Sequence[socket.socket]) -> None:
        self._listeners = listeners
        self._taker: socket.socket | None = None
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        fresh = f"{path}.{os.getpid()}"
        try:
            Path(fresh).unlink(missing_ok=True)
            self.listener.bind(fresh)
            Path(fresh).chmod(0o600)
            self.listener.listen()
            Path(fresh).rename(path)
        except OSError as error:
            self.close()
            raise _unusable(path, error) from error
        self.listener.setblocking(False)

    @property
    def wires(self) -> list[socket.socket]:
        """What is to be watched: when one can be read, `taken` is to be called."""
        return [self.listener, *([self._taker] if self._taker else [])]

    def taken(self) -> bool:
        """Talks to those who want to take over.

        Returns:
            Whether one has done so, and serves.
        """
        with contextlib.suppress(BlockingIOError, ConnectionError):
            self._give(self.listener.accept()[0])
        if self._taker is None:
            return False
        try:
            word = self._taker.recv(1)
        except BlockingIOError:
            return False
        except OSError:
            word = b""
        self._taker.close()
        self._taker = None  # without a word it has given up
        return word == SERVING

    def _give(self, wire: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._taker is not None:
                wire.sendall(BUSY)
                wire.close()
                return
            numbers = [listener.fileno() for listener in self._listeners]
            socket.send_fds(wire, [GIVEN], numbers)
            wire.setblocking(False)
            self._taker = wire

    def close(self) -> None:
        """Offers nothing any more; the path stays, it may already be the next one's."""
        for wire in self.wires:
            wire.close()


def _unusable(path: str, error: OSError) -> HandoverError:
    return HandoverError(
        f"cannot use {path} to hand the ports over: {error.strerror or error}; "
        "set the path to one in a folder of this account"
    )
