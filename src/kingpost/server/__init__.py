"""Serves an application over HTTP: strict about what comes in, calm when it has to end."""

from kingpost.server.head import Limits
from kingpost.server.operations import OperationsRoutes, operations_app
from kingpost.server.protocol import GuardedProtocol
from kingpost.server.server import Server, serve
from kingpost.server.sockets import BindError, PortTaken
from kingpost.server.state import Check, State

__all__ = [
    "BindError",
    "Check",
    "GuardedProtocol",
    "Limits",
    "OperationsRoutes",
    "PortTaken",
    "Server",
    "State",
    "operations_app",
    "serve",
]
