"""Accepts all who wait: the event loop accepts one in each of its rounds.

A round of a busy process takes milliseconds. Hundreds of new connections, a health check among
them, would wait for seconds without anybody having looked at them.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable

# In one round; a few milliseconds, and not so many that other workers go without.
MOST = 32


class Acceptor:
    """Takes what waits in listening sockets, beside the event loop's own servers.

    Args:
        protocol: makes the protocol of a connection.
    """

    def __init__(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        self._protocol = protocol
        self._twins: list[socket.socket] = []
        self._beginning: set[asyncio.Task[None]] = set()

    def watch(self, listener: socket.socket) -> None:
        """Takes from this socket too, from now on.

        Args:
            listener: listens and does not block.
        """
        twin = listener.dup()  # the loop takes a descriptor of its own for each who watches
        self._twins.append(twin)
        asyncio.get_running_loop().add_reader(twin, self._accept, twin)

    def close(self) -> None:
        """Takes nothing more; what was taken is served."""
        loop = asyncio.get_running_loop()
        for twin in self._twins:
            loop.remove_reader(twin)
            twin.close()
        self._twins.clear()

    def _accept(self, twin: socket.socket) -> None:
        with contextlib.suppress(OSError):  # nobody is left, or no descriptor is
            for _ in range(MOST):
                connection = twin.accept()[0]
                connection.setblocking(False)
                beginning = asyncio.get_running_loop().create_task(self._begin(connection))
                self._beginning.add(beginning)
                beginning.add_done_callback(self._beginning.discard)

    async def _begin(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it is gone already
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
