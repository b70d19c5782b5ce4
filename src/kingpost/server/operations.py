"""/livez, /readyz and /metrics: for orchestrators and Prometheus, under any authentication."""

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from kingpost.context import current_request
from kingpost.middleware.answers import Answer, json_answer, problem_answer
from kingpost.problems import MethodNotAllowed, NotFound, Problem, Unavailable
from kingpost.server.readiness import CHECK_SECONDS, Readiness
from kingpost.server.state import State

PATHS = ("/livez", "/readyz", "/metrics")


class NotReady(Unavailable):
    """The instance should get no requests now; `checks` says why."""

    slug = "not-ready"
    title = "The service is not ready"


def operations_app(state: State, *, check_seconds: float = CHECK_SECONDS) -> ASGIApp:
    """An ASGI application with `/livez`, `/readyz` and `/metrics`, and nothing else.

    - `/livez` is 200 while the process can answer at all.
    - `/readyz` is 200 when all checks pass and the server is not draining; otherwise 503.
    - `/metrics` is the text format of Prometheus.

    Args:
        state: of the service; its checks and metrics are read at each request.
        check_seconds: how long `/readyz` waits for a check.

    Returns:
        The application.
    """
    return _Operations(state, check_seconds)


class OperationsRoutes:
    """Serves the operations paths in front of an application, for when they share its port.

    It belongs outside of authentication and deadlines, and inside `Observe`.

    Args:
        app: what serves every other path.
        state: of the service.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._operations = operations_app(state)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serves one request (ASGI 3)."""
        ours = scope["type"] == "http" and scope["path"] in PATHS
        return (self._operations if ours else self._app)(scope, receive, send)


class _Operations:
    def __init__(self, state: State, check_seconds: float) -> None:
        self._state = state
        self._readiness = Readiness(state.checks, check_seconds)
        self._answers: dict[str, Callable[[], Awaitable[Answer]]] = {
            "/livez": self._live,
            "/readyz": self._ready,
            "/metrics": self._metrics,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive  # none of the answers depends on content
        if scope["type"] != "http":
            return
        find = self._answers.get(scope["path"])
        context = current_request.get()
        if find is not None and context is not None:
            context.route = scope["path"]
        if find is None:
            answer = _problem(NotFound(), scope)
        elif scope["method"] not in ("GET", "HEAD"):
            answer = _problem(MethodNotAllowed(headers={"Allow": "GET, HEAD"}), scope)
        else:
            answer = await find()
        await answer.send(send, head=scope["method"] == "HEAD")

    async def _live(self) -> Answer:
        return json_answer(200, {"status": "alive"})

    async def _ready(self) -> Answer:
        if self._state.draining:
            return _problem(NotReady("The instance is shutting down."))
        results = await self._readiness.results()
        if all(result == "ok" for result in results.values()):
            return json_answer(200, {"status": "ready", "checks": results})
        return _problem(NotReady("A check failed.", checks=results))

    async def _metrics(self) -> Answer:
        render_all = self._state.render_all
        body = await render_all() if render_all else self._state.metrics.render()
        headers = [
            (b"content-type", self._state.metrics.content_type.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        return Answer(200, headers, body)


def _problem(problem: Problem, scope: Scope | None = None) -> Answer:
    context = current_request.get()
    path = scope["path"] if scope else None
    return problem_answer(problem, request_id=context.request_id if context else None, path=path)
