"""How a route says that it honours Idempotency-Key, in FastAPI's own words.

    @router.post("/posts", dependencies=[idempotent()])
    async def create_post(new: PostCreate, posts: Posts) -> PostRead: ...

The work is done by `kingpost.http.Route`; what stands here makes it visible in the declaration
and in the OpenAPI document.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Header
from fastapi.dependencies.models import Dependant
from pydantic import StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from kingpost.context import current_request
from kingpost.database import SessionMisuse
from kingpost.http.runtime import runtime_of
from kingpost.http.security import PRINCIPAL_KEY, walk
from kingpost.idempotency import (
    KEY_PATTERN,
    Idempotency,
    KeyedRequest,
    StoredAnswer,
    fingerprint_of,
    parse_key,
)
from kingpost.security import Principal

HEADER = b"idempotency-key"
MAX_ANSWER_BYTES = 16 * 1024 * 1024
_REPLAYED = (b"idempotency-replayed", b"true")
_NAMELESS = "anonymous"
_TEXT = "A string of 1 to 255 characters; the same request with the same key is made only once."

_Key = Annotated[str, StringConstraints(pattern=KEY_PATTERN)]
_HEADER = Header(alias="Idempotency-Key", description=_TEXT)


class Idempotent:
    """The mark of a route that honours Idempotency-Key.

    Args:
        required: a request without a key is refused.
        sealed: the answer holds a secret, so that it is stored encrypted.
    """

    is_mark = True
    __call__: Callable[..., Awaitable[None]]

    def __init__(self, *, required: bool, sealed: bool) -> None:
        self.required = required
        self.sealed = sealed


class _TakesKey(Idempotent):
    async def __call__(self, idempotency_key: Annotated[_Key | None, _HEADER] = None) -> None:
        """Exists for its parameter, which the OpenAPI document shows."""


class _NeedsKey(Idempotent):
    async def __call__(self, idempotency_key: Annotated[_Key, _HEADER]) -> None:
        """The same for a key that is required."""


def idempotent(*, required: bool = False, sealed: bool = False) -> Any:
    """A dependency that makes a route honour Idempotency-Key.

    Args:
        required: a request without a key gets 400.
        sealed: for an answer with a secret: what is stored of it cannot be read without the
            secret of the service and the key of the client.

    Returns:
        What FastAPI's `Depends` returns, for `dependencies=[…]` of a route or a router.
    """
    mark = _NeedsKey if required else _TakesKey
    return Depends(mark(required=required, sealed=sealed))


class Unkeyed:
    """The mark of a route that ignores Idempotency-Key on purpose."""

    is_mark = True

    async def __call__(self) -> None:
        """Does nothing."""


def unkeyed() -> Any:
    """A dependency that says that a POST ignores Idempotency-Key, and is meant to.

    Without it and without `idempotent()` the log has a warning about the route when the service
    starts.

    Returns:
        What FastAPI's `Depends` returns, for `dependencies=[…]` of a route or a router.
    """
    return Depends(Unkeyed())


def idempotent_mark(dependant: Dependant) -> Idempotent | None:
    """What a route says about Idempotency-Key; None if it says nothing.

    Args:
        dependant: of the route as it is included.
    """
    marks = [node.call for node in walk(dependant) if isinstance(node.call, Idempotent)]
    if not marks:
        return None
    return Idempotent(
        required=any(mark.required for mark in marks), sealed=any(mark.sealed for mark in marks)
    )


def key_of(request: Request) -> str:
    """The Idempotency-Key of a request; see `parse_key`."""
    return parse_key([value for name, value in request.scope["headers"] if name == HEADER])


async def answer_once(
    request: Request, key: str, document: Any, mark: Idempotent, form: Callable[[], Awaitable[Any]]
) -> Response:
    """Answers a request with a key; see `Idempotency.answer`.

    Args:
        request: the request.
        key: its Idempotency-Key.
        document: its parsed body; None without one.
        mark: of the route.
        form: forms the whole response.

    Returns:
        What `form` returned, or the response that was remembered.

    Raises:
        SessionMisuse: the service remembers no answers, or the response cannot be remembered.
    """
    idempotency = _idempotency_of(request)
    answered = await idempotency.answer(_keyed(request, key, document, mark), form, _stored)
    if not isinstance(answered, StoredAnswer):
        response: Response = answered
        return response
    replayed = Response(answered.body, answered.status)
    replayed.raw_headers = [*answered.headers, _REPLAYED]
    return replayed


def _idempotency_of(request: Request) -> Idempotency:
    idempotency = runtime_of(request).idempotency
    if idempotency is None:
        raise SessionMisuse("a route is idempotent(): give Runtime an Idempotency")
    return idempotency


def _keyed(request: Request, key: str, document: Any, mark: Idempotent) -> KeyedRequest:
    scope = request.scope
    principal: Principal | None = scope.get(PRINCIPAL_KEY)
    context = current_request.get()
    route = context.route if context is not None else None
    return KeyedRequest(
        principal=_NAMELESS if principal is None else principal.subject,
        key=key,
        request=f"{request.method} {route or ''}".strip(),
        fingerprint=fingerprint_of(request.method, scope["path"], scope["query_string"], document),
        is_sealed=mark.sealed,
    )


def _stored(response: Any) -> StoredAnswer | None:
    if response.status_code >= 400:
        return None
    body = getattr(response, "body", None)
    if not isinstance(body, bytes) or hasattr(response, "body_iterator"):
        raise SessionMisuse(
            "an idempotent() route answers at once, since its whole answer is remembered: "
            f"return no {type(response).__name__}"
        )
    if len(body) > MAX_ANSWER_BYTES:
        raise SessionMisuse(f"the answer of an idempotent() route exceeds {MAX_ANSWER_BYTES} bytes")
    return StoredAnswer(response.status_code, list(response.raw_headers), body)
