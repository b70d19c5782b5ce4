"""What the application and the server that runs it tell each other."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.types import Scope

from kingpost.observability.metrics import Metrics

Check = Callable[[], Awaitable[object]]


def _never(_: Scope) -> bool:
    return False


@dataclass(slots=True)
class State:
    """Made by the application, found by the server at `app.state.kingpost.state`.

    Attributes:
        draining: the server was asked to end; it is not ready any more, and still serves.
        checks: by name, what must work for the service to be ready; a check raises if it
            does not.
        metrics: what `/metrics` shows.
        render_all: renders the metrics of all workers, where there are several.
        is_list: tells whether a request reads a list; under load lists are refused first.
    """

    draining: bool = False
    checks: dict[str, Check] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=Metrics)
    render_all: Callable[[], Awaitable[bytes]] | None = None
    is_list: Callable[[Scope], bool] = _never
