"""Listening sockets, bound before anything else is started, so that mistakes show at once."""

import contextlib
import errno
import socket
from collections.abc import Iterable, Sequence
from typing import Any

from kingpost.settings import ServiceSettings

_MOST_WAITING = 4096  # the kernel's queue has fewer unless told otherwise (net.core.somaxconn)


class BindError(Exception):
    """It is not possible to listen there; the message is one line with the way out."""


class PortTaken(BindError):
    """Somebody else listens on the port."""


def bind(host: str, port: int, *, setting: str = "APP_PORT", backlog: int = 2048) -> socket.socket:
    """Opens a listening TCP socket.

    Args:
        host: name or address to listen on.
        port: 0 takes a free one; `getsockname()` tells which.
        setting: name of the setting that would change the port, for the message.
        backlog: connections that may wait to be accepted.

    Returns:
        The socket, which listens already.

    Raises:
        PortTaken: the port is in use.
        BindError: for any other reason.
    """
    family, address = _resolve(host, port)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise _explained(error, host, port, setting) from error
    listener.setblocking(False)
    return listener


def open_ports(
    settings: ServiceSettings,
    prefix: str = "APP_",
    inherited: Sequence[socket.socket] = (),
) -> list[socket.socket]:
    """Opens the ports of a service.

    Args:
        settings: host and ports; port 0 takes a free one.
        prefix: of the settings' names, for the message.
        inherited: listening sockets from elsewhere, which are used instead of new ones.

    Returns:
        The listening sockets, the API's first, then that of the operations port if there is one.

    Raises:
        PortTaken: a port is in use.
        BindError: a port cannot be used for another reason, or those inherited are others.
    """
    if inherited:
        return _same(settings, prefix, inherited)
    opened: list[socket.socket] = []
    try:
        for name, port in _wanted(settings):
            opened.append(bind(settings.host, port, setting=f"{prefix}{name}"))
    except BaseException:
        _close(opened)
        raise
    return opened


def _wanted(settings: ServiceSettings) -> list[tuple[str, int]]:
    ports = {"PORT": settings.port, "OPS_PORT": settings.ops_port}
    return [(name, port) for name, port in ports.items() if port is not None]


def _same(
    settings: ServiceSettings, prefix: str, inherited: Sequence[socket.socket]
) -> list[socket.socket]:
    """Inherited sockets, if they are those that would have been opened."""
    wanted = [_resolve(settings.host, port)[1] for _, port in _wanted(settings)]
    found = [listener.getsockname() for listener in inherited]
    if found == wanted:
        return list(inherited)
    _close(inherited)
    raise BindError(
        f"the one that serves listens on {_told(found)}, this one wants {_told(wanted)}: "
        f"set {prefix}HOST, {prefix}PORT and {prefix}OPS_PORT as they are there, "
        "or end that one before this one starts"
    )


def _told(addresses: Iterable[tuple[Any, ...]]) -> str:
    pairs = [(f"[{host}]" if ":" in host else host, port) for host, port, *_ in addresses]
    return " and ".join(f"{host}:{port}" for host, port in pairs)


def accept_waiting(listeners: Sequence[socket.socket]) -> list[socket.socket]:
    """Accepts who has connected, and closes the listening sockets.

    The kernel resets connections that wait in a socket when its last owner closes it.

    Args:
        listeners: that do not block.

    Returns:
        The connections.
    """
    accepted: list[socket.socket] = []
    for listener in listeners:
        with contextlib.suppress(OSError):  # nobody is left, or no descriptor is
            accepted.extend(listener.accept()[0] for _ in range(_MOST_WAITING))
        listener.close()
    for connection in accepted:
        connection.setblocking(False)
    return accepted


def _close(sockets: Iterable[socket.socket]) -> None:
    for item in sockets:
        item.close()


def port_of(listener: socket.socket) -> int:
    """The port a socket listens on."""
    return int(listener.getsockname()[1])


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise BindError(f"cannot listen on {host!r}: {error.strerror}") from error
    # IPv4 first: `localhost` usually has both, and tools try 127.0.0.1.
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address


def _explained(error: OSError, host: str, port: int, setting: str) -> BindError:
    if error.errno == errno.EADDRINUSE:
        return PortTaken(
            f"port {port} of {host} is taken by another program: "
            f"stop that one, or set {setting} to another port"
        )
    if error.errno == errno.EACCES:
        return BindError(
            f"port {port} of {host} may not be used by this account: "
            f"set {setting} to a port above 1023"
        )
    return BindError(f"cannot listen on port {port} of {host}: {error.strerror}")
