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
from kingpost.server.configuration import ServerConfig
from kingpost.server.protocol import GuardedProtocol
from kingpost.server.sockets import bind, port_of
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

    def bind(self) -> list[socket.socket]:
        """Opens the ports.

        Returns:
            The listening sockets, the API's first, to be given to `run`.

        Raises:
            PortTaken: a port is in use.
            BindError: a port cannot be used for another reason.
        """
        settings = self.settings
        listeners = [bind(settings.host, settings.port, setting="APP_PORT")]
        if settings.ops_port is not None:
            try:
                listeners.append(bind(settings.host, settings.ops_port, setting="APP_OPS_PORT"))
            except BaseException:
                listeners[0].close()
                raise
        return listeners

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
        listeners = sockets if sockets is not None else self.bind()
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

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drains, then ends."""
        await self._drain()
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        # Both at once: who has seen that it is not ready gets answers that say so.
        if self.config.state is not None:
            self.config.state.draining = True
        self.config.encoded_headers.append((b"connection", b"close"))
        await self.on_tick(0)  # renews the default headers, without a pause
        _log.info("draining", seconds=self.settings.drain_seconds)
        for connection in list(self.server_state.connections):
            if isinstance(connection, GuardedProtocol):
                connection.drain()
        end = time.monotonic() + self.settings.drain_seconds
        while not self.force_exit and time.monotonic() < end:
            await asyncio.sleep(TICK_SECONDS)
            await self.on_tick(0)


def serve(
    app: Any,
    *,
    settings: ServiceSettings,
    on_ready: Callable[[Server], object] | None = None,
) -> None:
    """Serves an application in this process until SIGTERM or SIGINT.

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
