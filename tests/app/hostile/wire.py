"""Requests byte by byte: what no client library would send, and answers as they came."""

import json
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

PATIENCE = 60.0
Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    closed: bool

    def header(self, name: str) -> str | None:
        found = [value for given, value in self.headers if given == name]
        assert len(found) < 2, f"{name} comes twice: {found}"
        return found[0] if found else None

    def json(self) -> Any:
        return json.loads(self.body)


def request(
    method: str,
    target: str,
    headers: Headers = (),
    body: bytes | None = None,
    *,
    host: str | None = "localhost",
) -> bytes:
    """A request of HTTP/1.1; with a body it also has its length."""
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"Host: {host}"] if host is not None else []
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None and not any(name.lower() == "transfer-encoding" for name, _ in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def talk(port: int, data: bytes, *, head: bool = False, until_closed: bool = False) -> Answer:
    """Sends bytes on a connection of their own and reads the answer.

    Args:
        port: of the server.
        data: everything that is sent.
        head: the answer has no content, whatever its length says.
        until_closed: wait for the server to close after the answer.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)  # a server that has heard enough has answered already
        return _read(connection, head=head, until_closed=until_closed)


def _read(connection: socket.socket, *, head: bool, until_closed: bool) -> Answer:
    unread = b""
    while b"\r\n\r\n" not in unread:
        data = connection.recv(65536)
        assert data, f"closed after {unread!r}"
        unread += data
    section, body = unread.split(b"\r\n\r\n", 1)
    status_line, *lines = section.decode("latin-1").split("\r\n")
    headers = [(name.lower(), value) for name, value in (line.split(": ", 1) for line in lines)]
    length = 0 if head else int(dict(headers).get("content-length", "0"))
    while len(body) < length and (data := connection.recv(65536)):
        body += data
    if until_closed:
        while data := connection.recv(65536):
            body += data
    assert len(body) == length, "there is more or less content than the length says"
    return Answer(int(status_line.split(" ")[1]), headers, body, until_closed)
