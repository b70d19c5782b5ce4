"""Turns what an endpoint returns into a response, as FastAPI does."""

from collections.abc import Callable
from types import UnionType
from typing import Any, Union, get_args, get_origin

from fastapi.datastructures import DefaultPlaceholder
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import ResponseValidationError
from fastapi.utils import is_body_allowed_for_status_code
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from kingpost.http.planned.given import Given
from kingpost.http.preconditions import check_wanted, is_known
from kingpost.projection import Document

_OK = 200
_NOT_MODIFIED = 304
_OF_CONTENT = (b"content-length", b"content-type")
_JSON = "application/json"
_JSON_HEADER = (b"content-type", _JSON.encode())
_SHAPE = ("include", "exclude", "by_alias", "exclude_unset", "exclude_defaults", "exclude_none")
_WHOLE = (None, None, True, False, False, False)

Invalid = Callable[[Request, list[Any], Any], ResponseValidationError]


class Answers:
    """How the route answers.

    Args:
        route: FastAPI's route, or what it has become where its router is included.
        is_async: whether the endpoint is a coroutine function; FastAPI validates what the others
            return in a thread.
        invalid: makes the error for a value that is not what the route says it returns.
    """

    def __init__(self, route: Any, *, is_async: bool, invalid: Invalid) -> None:
        kind = route.response_class
        self._invalid = invalid
        self._field = route.response_field
        self._is_async = is_async
        self._status: int | None = route.status_code
        self._class: type[Response] = kind.value if isinstance(kind, DefaultPlaceholder) else kind
        self._shape = {name: getattr(route, f"response_model_{name}") for name in _SHAPE}
        # FastAPI lets Pydantic write the JSON only if nobody has asked for a class of response.
        self._is_json = self._field is not None and isinstance(kind, DefaultPlaceholder)
        is_whole = self._is_json and tuple(self._shape.values()) == _WHOLE
        self._takes_documents = is_whole and shows_documents(route.response_model)

    async def response(self, returned: Any, given: Given) -> Response:
        """The response for what the endpoint has returned.

        Args:
            returned: a response is sent as it is, and so are the bytes of a `Document`.
            given: with the headers and the status that were set.

        Returns:
            The response.

        Raises:
            ResponseValidationError: `returned` is not what the route says it returns.
        """
        if isinstance(returned, Response):
            return returned
        if self._takes_documents and isinstance(returned, Document):
            response = self._json(returned.body, given)
            etag = returned.etag
            return response if etag is None else with_etag(response, etag, given.request)
        content = await self._content(returned, given.request)
        return self._json(content, given) if self._is_json else self._of_class(content, given)

    async def _content(self, returned: Any, request: Request) -> Any:
        field = self._field
        if field is None:
            return jsonable_encoder(returned)
        if self._is_async:
            value, errors = field.validate(returned, {}, loc=("response",))
        else:
            value, errors = await run_in_threadpool(field.validate, returned, {}, loc=("response",))
        if errors:
            raise self._invalid(request, errors, returned)
        return (field.serialize_json if self._is_json else field.serialize)(value, **self._shape)

    def _json(self, content: bytes, given: Given) -> Response:
        set_on = given.response
        status = (set_on and set_on.status_code) or self._status or _OK
        if status < _OK or not is_body_allowed_for_status_code(status):
            response = Response(content, status, media_type=_JSON)
            response.body = b""
        else:
            response = _ready(status, content)
        if set_on is not None:
            response.raw_headers.extend(set_on.headers.raw)
        return response

    def _of_class(self, content: Any, given: Given) -> Response:
        set_on = given.response
        options: dict[str, Any] = {"background": None}
        status = (set_on and set_on.status_code) or self._status
        if status:
            options["status_code"] = status
        response = self._class(content, **options)
        if not is_body_allowed_for_status_code(response.status_code):
            response.body = b""
        if set_on is not None:
            response.headers.raw.extend(set_on.headers.raw)
        return response


def with_etag(response: Response, etag: str, request: Request) -> Response:
    """Adds an ETag, and leaves out a document that the client has (RFC 9110 section 15.4.5).

    Args:
        response: with the document.
        etag: of the document.
        request: says which documents the client has.

    Returns:
        The same response, or 304 with its headers but those of the content.

    Raises:
        BadRequest: a GET with an `If-Match` that is neither `*` nor a list of ETags.
        PreconditionFailed: a GET with an `If-Match` that names other documents.
    """
    response.raw_headers.append((b"etag", etag.encode("ascii")))
    scope = request.scope
    is_read = response.status_code == _OK and scope["method"] == "GET"
    for name, _ in scope["headers"] if is_read else ():
        if name == b"if-none-match" or name == b"if-match":  # noqa: PLR1714 - a set would hash each name
            check_wanted(scope["headers"], etag)
            return _without_content(response) if is_known(scope["headers"], etag) else response
    return response


def _without_content(response: Response) -> Response:
    response.status_code = _NOT_MODIFIED
    response.body = b""
    response.raw_headers = [pair for pair in response.raw_headers if pair[0] not in _OF_CONTENT]
    return response


def shows_documents(annotation: Any) -> bool:
    """Whether what a route returns is a `Document`, or may be one.

    Args:
        annotation: its response model.
    """
    kind = get_origin(annotation) or annotation
    if kind in (Union, UnionType):
        return any(map(shows_documents, get_args(annotation)))
    return kind is Document


def _ready(status: int, content: bytes) -> Response:
    """What `Response(content, status, media_type=…)` makes, without finding it out again."""
    response = Response.__new__(Response)
    response.status_code = status
    response.background = None
    response.media_type = _JSON
    response.body = content
    response.raw_headers = [(b"content-length", b"%d" % len(content)), _JSON_HEADER]
    return response
