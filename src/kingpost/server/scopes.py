"""What an application is told of a request (ASGI 3)."""

from typing import TYPE_CHECKING
from urllib.parse import unquote

from starlette.types import Scope

from kingpost.server.head import Headers

if TYPE_CHECKING:
    from kingpost.server.protocol import GuardedProtocol


class Scopes:
    """Makes the scopes of one connection.

    Args:
        protocol: of the connection, which has been made.
    """

    __slots__ = ("_common", "_root_path", "_state")

    def __init__(self, protocol: "GuardedProtocol") -> None:
        self._root_path = protocol.root_path
        self._state = protocol.app_state
        self._common = {
            "type": "http",
            "asgi": {"version": protocol.asgi_version, "spec_version": "2.3"},
            "server": protocol.server,
            "client": protocol.client,
            "scheme": protocol.scheme,
            "root_path": protocol.root_path,
        }

    def scope(
        self, method: bytes, version: str, path: str, query: bytes, headers: Headers
    ) -> Scope:
        """The scope of a request.

        Args:
            method: as it was sent.
            version: such as `1.1`.
            path: with its escapes.
            query: without its question mark.
            headers: names in lower case.

        Returns:
            A dictionary of its own, which the application may change.
        """
        return {
            **self._common,
            "http_version": version,
            "method": method.decode("ascii"),
            "path": self._root_path + (unquote(path) if "%" in path else path),
            "raw_path": (self._root_path + path).encode("ascii"),
            "query_string": query,
            "headers": headers,
            "state": self._state.copy(),
        }
