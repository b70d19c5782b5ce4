"""Reads and validates a JSON body as FastAPI does."""

import json
from collections.abc import Awaitable, Callable
from email.message import Message
from functools import lru_cache
from typing import Any

from fastapi._body_limit import get_body_limit_error
from fastapi._compat import ModelField, Undefined
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import (
    _get_form_models,
    _should_embed_body_fields,
    request_body_to_args,
)
from fastapi.exceptions import HTTPException, RequestValidationError
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY
from starlette.requests import Request

from kingpost.http.planned.given import Given
from kingpost.http.planned.parameters import validate

ReadBody = Callable[[Request], Awaitable[Any]]


class Body:
    """The body parameters of one dependant.

    Args:
        dependant: of an endpoint or a dependency.
        is_embedded: whether the route has several of them, each a member of the JSON object.
    """

    def __init__(self, dependant: Dependant, *, is_embedded: bool) -> None:
        self._fields = dependant.body_params
        self._is_embedded = is_embedded
        self._only = None if is_embedded else _only_field(self._fields)

    async def read(self, given: Given, values: dict[str, Any]) -> None:
        """Adds the values to `values`, or what is wrong with them to `given.errors`."""
        if self._only is not None and given.body is not Undefined:
            _, value = validate(self._only, given.body, ("body",), given)
            values[self._only.name] = value
            return
        found, errors = await request_body_to_args(
            body_fields=self._fields,
            received_body=given.body,
            embed_body_fields=self._is_embedded,
        )
        values.update(found)
        given.errors.extend(errors)


def _only_field(fields: list[ModelField]) -> ModelField | None:
    is_whole = len(fields) == 1 and not (
        _should_embed_body_fields(fields) or _get_form_models(fields[0])
    )
    return fields[0] if is_whole else None


def body_reader(*, is_strict: bool, raised: Callable[..., RequestValidationError]) -> ReadBody:
    """How FastAPI reads the JSON body of a route.

    Args:
        is_strict: a body without a content type is not JSON.
        raised: makes the error for a body that is not JSON, from the request, what is wrong with
            it, and the body.

    Returns:
        A function that returns the parsed body, its bytes if it is not JSON by its content
        type, or `Undefined` if it is empty; it raises what FastAPI raises.
    """

    async def read(request: Request) -> Any:
        try:
            raw = await request.body()
            if not raw:
                return Undefined
            media_type = request.headers.get("content-type")
            is_json = _is_json(media_type) if media_type else not is_strict
            return await request.json() if is_json else raw
        except json.JSONDecodeError as error:
            raise raised(request, [_not_json(error)], error.doc) from error
        except HTTPException:
            raise
        except Exception as error:
            limit = (
                get_body_limit_error(error) if MAX_BODY_SIZE_SCOPE_KEY in request.scope else None
            )
            raise limit or _unreadable() from error

    return read


def _not_json(error: json.JSONDecodeError) -> dict[str, Any]:
    return {
        "type": "json_invalid",
        "loc": ("body", error.pos),
        "msg": "JSON decode error",
        "input": {},
        "ctx": {"error": error.msg},
    }


def _unreadable() -> HTTPException:
    return HTTPException(status_code=400, detail="There was an error parsing the body")


@lru_cache(maxsize=256)
def _is_json(media_type: str) -> bool:
    message = Message()
    message["content-type"] = media_type
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (
        subtype == "json" or subtype.endswith("+json")
    )
