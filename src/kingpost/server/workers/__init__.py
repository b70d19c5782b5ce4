"""Several processes that serve the same sockets, and what looks after them."""

from kingpost.server.workers.handover import HandoverError, Taken, open_or_take, take
from kingpost.server.workers.supervisor import NoWorkerStarts, Supervisor

__all__ = ["HandoverError", "NoWorkerStarts", "Supervisor", "Taken", "open_or_take", "take"]
