"""What is known about the request that is being served, for logs, audit and the deadline."""

from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(slots=True)
class RequestContext:
    """One mutable record per request, set by the outermost middleware.

    It is filled in place, because a context variable that is set further inside is not seen
    outside (PEP 567): the middleware that logs must see what the route found out.

    Attributes:
        request_id: from a valid `X-Request-Id`, or made.
        method: the HTTP method as it was sent.
        path: the path as it was sent.
        route: the template of the matched route, such as `/api/v1/users/{user_id}`.
        actor: who asks, such as `key:018f…`; None before authentication.
        statements: SQL statements sent for this request.
        database_seconds: time spent waiting for them.
        committing: a COMMIT was sent and has not been answered.
        committed: a transaction of this request was committed, which no answer may deny.
        abandoned: the deadline has passed and the client has its answer; commit nothing.
        address: of the client, as the server knows it; None if it has none.
        limits: headers that say what is left of the client's rate limit.
        notes: further fields of its lines in the log, such as `trace_id`.
    """

    request_id: str
    method: str = ""
    path: str = ""
    route: str | None = None
    actor: str | None = None
    statements: int = 0
    database_seconds: float = 0.0
    committing: bool = False
    committed: bool = False
    abandoned: bool = False
    address: str | None = None
    limits: tuple[tuple[bytes, bytes], ...] = ()
    notes: dict[str, object] = field(default_factory=dict)


current_request: ContextVar[RequestContext | None] = ContextVar(
    "kingpost_current_request", default=None
)
