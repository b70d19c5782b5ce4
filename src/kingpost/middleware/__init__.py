"""What surrounds every request, as pure ASGI: identity and logs, the deadline, method rules."""

from kingpost.middleware.deadline import Deadline
from kingpost.middleware.methods import Methods
from kingpost.middleware.observe import Observe

__all__ = ["Deadline", "Methods", "Observe"]
