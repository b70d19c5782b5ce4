"""The server process: ports before anything else, and an orderly end."""

import asyncio
import contextlib
import dataclasses
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import structlog
import uvicorn

from kingpost.observability import configure_logging
from kingpost.server.accepting import Acceptor
from kingpost.server.configuration import ServerConfig
from kingpost.server.descriptors import raise_descriptor_limit
from kingpost.server.garbage import calm_garbage_collector
from kingpost.server.protocol import GuardedProtocol
from kingpost.server.sockets import accept_waiting, open_ports, port_of
from kingpost.settings import ServiceSettings

TICK_SECONDS = 0.05
SIGNALS = (signal.SIGINT, signal.SIGTERM)

_log = structlog.get_logger("kingpost.server")


class Server(uvicorn.Server):
    """uvicorn, with sockets of its own, an operations port and an orderly end.

    At SIGTERM or SIGINT: `/readyz` is 503 at once; for `drain_seconds` requests are still
    accepted, and answers close their connections; then the ports are closed, requests in flight
    finish within `shutdown_timeout`, the lifespan ends, and `run` returns. A second SIGINT does
    not wait for anything.

    For reloading, `uvicorn.supervisors.ChangeReload(server.config, target=server.run,
    sockets=server.bind())` works: a server can be pickled until it runs.

    Args:
        app: an ASGI application, a factory for one (called with the settings if it takes an
            argument), or `module:name` of either.
        settings: of the service.
        on_ready: called with the server when it accepts requests.
    """

    config: ServerConfig

    def __init__(
        self,
        app: Any,
        *,
        settings: ServiceSettings,
        on_ready: Callable[["Server"], object] | None = None,
    ) -> None:
        super().__init__(ServerConfig(app, settings))
        self.settings = settings
        self.on_ready = on_ready
        self.port: int | None = None
        self.ops_port: int | None = None
        self.leaving = False
        self._listeners: list[socket.socket] = []
        self._acceptor: Acceptor | None = None

    def bind(self) -> list[socket.socket]:
        """Opens the ports.

        Returns:
            The listening sockets, the API's first, to be given to `run`.

        Raises:
            PortTaken: a port is in use.
            BindError: a port cannot be used for another reason.
        """
        return open_ports(self.settings)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until it is told to end.

        Args:
            sockets: as `bind` returned them; without them they are bound now.

        Raises:
            PortTaken: a port is in use.
            BindError: a port cannot be used for another reason.
            SystemExit: the application did not start.
        """
        configure_logging(self.settings.log_level, json=self.settings.environment == "production")
        raise_descriptor_limit(self.settings)
        listeners = sockets if sockets is not None else self.bind()
        self._listeners = listeners
        self.port = port_of(listeners[0])
        if len(listeners) > 1:
            self.ops_port = self.config.ops_port = port_of(listeners[1])
            self.config.limits = dataclasses.replace(
                self.config.limits, open_ports=frozenset({self.ops_port})
            )
        super().run(listeners)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts the lifespan and accepts requests."""
        await super().startup(sockets)
        self._acceptor = Acceptor(self._protocol)
        for listener in self._listeners:
            self._acceptor.watch(listener)
        calm_garbage_collector()
        _log.info("serving", host=self.settings.host, port=self.port, ops_port=self.ops_port)
        if self.on_ready is not None:
            self.on_ready(self)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handles signals while serving; unlike uvicorn, does not die of them afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def end(self) -> None:
        """Ends as at SIGTERM; may be called from any thread."""
        self.leaving = False
        self.should_exit = True

    def leave(self) -> None:
        """Ends while others go on serving the same sockets; may be called from any thread.

        The sockets are closed at once, and what waits in them is left to the others. This one
        stays ready for the connections it has: each ends with its next answer, or when it was
        idle for `keep_alive_timeout`, so none is closed while a request may be on its way.
        """
        self.leaving = True
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drains, then ends."""
        if self.leaving:
            self._close_listeners()
        await self._drain()
        await self._stop_accepting()
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        # Both at once: who has seen that it is not ready gets answers that say so.
        if self.config.state is not None:
            self.config.state.draining = not self.leaving
        self.config.encoded_headers.append((b"connection", b"close"))
        await self.on_tick(0)  # renews the default headers, without a pause
        self._tell_drain()
        for connection in list(self.server_state.connections):
            if isinstance(connection, GuardedProtocol):
                connection.drain()
        begun = time.monotonic()
        while not self._drained(time.monotonic() - begun):
            await asyncio.sleep(TICK_SECONDS)
            await self.on_tick(0)

    def _tell_drain(self) -> None:
        if self.leaving:
            count = len(self.server_state.connections)
            _log.info("leaving", connections=count, at_most_seconds=self._drain_seconds())
        else:
            _log.info("draining", seconds=self._drain_seconds())

    def _drain_seconds(self) -> float:
        settings = self.settings
        return settings.keep_alive_timeout if self.leaving else settings.drain_seconds

    def _drained(self, seconds: float) -> bool:
        alone = self.leaving and not self.server_state.connections
        return self.force_exit or alone or seconds >= self._drain_seconds()

    async def _stop_accepting(self) -> None:
        """Closes the ports; who has connected already, although not been accepted, is served."""
        if not self._listeners:
            return
        kept = [listener.dup() for listener in self._listeners]
        self._close_listeners()
        loop = asyncio.get_running_loop()
        for connection in accept_waiting(kept):
            with contextlib.suppress(OSError):
                await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> GuardedProtocol:
        return GuardedProtocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def _close_listeners(self) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
        for server in self.servers:
            server.close()
        for listener in self._listeners:
            listener.close()
        self._listeners = []


def serve(
    app: Any,
    *,
    settings: ServiceSettings,
    on_ready: Callable[[Server], object] | None = None,
) -> None:
    """Serves an application in this process until SIGTERM or SIGINT.

    `kingpost.server.workers.Supervisor` serves with several.

    Args:
        app: an ASGI application, a factory for one, or `module:name` of either.
        settings: of the service.
        on_ready: called with the server when it accepts requests.

    Raises:
        PortTaken: a port is in use.
        BindError: a port cannot be used for another reason.
        SystemExit: the application did not start.
    """
    Server(app, settings=settings, on_ready=on_ready).run()
