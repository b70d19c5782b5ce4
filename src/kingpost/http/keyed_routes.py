"""What the routes of a service say about Idempotency-Key, looked at when it starts."""

import logging
from collections.abc import Iterator

from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from kingpost.database import SessionMisuse
from kingpost.http.idempotent import Unkeyed, idempotent_mark
from kingpost.http.runtime import Runtime
from kingpost.http.security import walk

_LOG = logging.getLogger("kingpost.http")


def check_keyed_routes(routes: list[BaseRoute], runtime: Runtime) -> None:
    """Refuses what cannot be kept, and names in a warning the POSTs that say nothing.

    Args:
        routes: of the app, all of them.
        runtime: of the service; where it remembers no answers, nobody has to say anything.

    Raises:
        SessionMisuse: a route is `idempotent()`, and the service remembers no answers.
    """
    silent = []
    for name, dependant in _named(routes):
        if idempotent_mark(dependant) is not None:
            if runtime.idempotency is None:
                raise SessionMisuse(f"{name} is idempotent(): give Runtime an Idempotency")
        elif name.startswith("POST ") and not _is_unkeyed(dependant):
            silent.append(name)
    if silent and runtime.idempotency is not None:
        _LOG.warning(
            "%s: an Idempotency-Key is ignored; declare idempotent(), or unkeyed() if it is meant",
            ", ".join(silent),
        )


def _named(routes: list[BaseRoute]) -> Iterator[tuple[str, Dependant]]:
    for context in iter_route_contexts(routes):
        dependant: Dependant | None = getattr(context, "dependant", None)
        if dependant is not None:
            for method in sorted(context.methods or ()):
                yield f"{method} {context.path}", dependant


def _is_unkeyed(dependant: Dependant) -> bool:
    return any(isinstance(node.call, Unkeyed) for node in walk(dependant))
