"""How many files the process may have open, beside how many it will need."""

import contextlib
import resource

import structlog

from kingpost.server.connections import OPERATIONS, REFUSED
from kingpost.settings import ServiceSettings

_OTHERS = 32  # listening sockets, standard streams, the event loop, what an application opens

_log = structlog.get_logger("kingpost.server")


def raise_descriptor_limit(settings: ServiceSettings) -> None:
    """Raises the soft limit of this process to the hard one; warns if that is too low.

    Args:
        settings: how many connections there may be.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems allow less than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    warning = shortage(settings, allowed)
    if warning is not None:
        _log.warning(warning)


def shortage(settings: ServiceSettings, allowed: int) -> str | None:
    """What to do when there are too few descriptors.

    Args:
        settings: how many connections there may be.
        allowed: the limit of the process; `resource.RLIM_INFINITY` is none.

    Returns:
        One line, or None if they suffice.
    """
    rest = settings.pool_size + settings.direct_pool_size + OPERATIONS + REFUSED + _OTHERS
    needed = settings.max_connections + rest
    if allowed == resource.RLIM_INFINITY or needed <= allowed:
        return None
    return (
        f"max_connections={settings.max_connections} needs {needed} open files and the process "
        f"may have {allowed}: raise the limit (ulimit -n, LimitNOFILE), "
        f"or set max_connections to {max(allowed - rest, 1)} or less"
    )
