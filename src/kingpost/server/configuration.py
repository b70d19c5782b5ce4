"""uvicorn's configuration, out of a service's settings."""

import functools
import importlib
import inspect
import math
from collections.abc import Awaitable
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config

from kingpost.middleware.observe import Observe
from kingpost.server.connections import OPERATIONS, Connections
from kingpost.server.head import Limits
from kingpost.server.operations import operations_app
from kingpost.server.protocol import GuardedProtocol
from kingpost.server.shedding import Shedding
from kingpost.server.state import State
from kingpost.settings import ServiceSettings


class ServerConfig(Config):
    """How to serve an application; can be pickled until it is loaded, as reloading needs it.

    Args:
        app: an ASGI application, a factory for one, or `module:name` of either.
        settings: of the service.
    """

    def __init__(self, app: Any, settings: ServiceSettings) -> None:
        super().__init__(
            app,
            host=settings.host,
            port=settings.port,
            http=GuardedProtocol,
            ws="none",
            lifespan="on",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=settings.trusted_proxies is not None,
            forwarded_allow_ips=settings.trusted_proxies or "",
            timeout_keep_alive=math.ceil(settings.keep_alive_timeout),
            timeout_graceful_shutdown=math.ceil(settings.shutdown_timeout),
        )
        self.settings = settings
        self.limits = Limits.of(settings)
        self.state: State | None = None
        self.shedding: Shedding | None = None
        self.ops_port: int | None = None
        self._connections = Connections(settings.max_connections)
        self._operators = Connections(OPERATIONS)

    def connections_of(self, port: int | None) -> Connections:
        """The connections to a port; who operates the service never waits for its clients.

        Args:
            port: the local one.
        """
        return self._operators if port and port == self.ops_port else self._connections

    def load_app(self) -> Any:
        """Makes the application; called by uvicorn in the process that serves."""
        app = _made(_imported(self.app), self.settings)
        kingpost = getattr(getattr(app, "state", None), "kingpost", None)
        self.state = getattr(kingpost, "state", None) or State()
        self.shedding = Shedding(self.settings.max_requests, self.state)
        self._connections.metrics = self.state.metrics
        return _Ports(app, self, self.state)


def _imported(app: Any) -> Any:
    if not isinstance(app, str):
        return app
    module, _, name = app.partition(":")
    return functools.reduce(getattr, name.split("."), importlib.import_module(module))


def _made(app: Any, settings: ServiceSettings) -> ASGIApp:
    """The application itself: functions that are not coroutines are factories."""
    factory = inspect.isroutine(app) or isinstance(app, functools.partial)
    if not factory or inspect.iscoroutinefunction(app):
        return cast(ASGIApp, app)
    parameters = inspect.signature(app).parameters.values()
    needed = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    return cast(ASGIApp, app(settings) if needed else app())


class _Ports:
    """Sends requests of the operations port to the operations application."""

    def __init__(self, app: ASGIApp, config: ServerConfig, state: State) -> None:
        self._app = app
        self._config = config
        self._operations = Observe(
            operations_app(state),
            metrics=state.metrics,
            development=config.settings.environment != "production",
        )

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        port = self._config.ops_port
        if port is not None and scope["type"] == "http" and scope["server"][1] == port:
            return self._operations(scope, receive, send)
        return self._app(scope, receive, send)
