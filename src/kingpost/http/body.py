"""Reads a JSON body strictly (RFC 8259), before FastAPI sees it.

FastAPI's own reader takes what `json.loads` takes: repeated names, NaN, a byte order mark,
UTF-16, any depth. All of these mean that client and service disagree about what was sent.
"""

import json
import math
import re
from collections.abc import Callable, Iterable
from email.message import Message
from functools import lru_cache
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request
from starlette.types import Scope

from kingpost.problems import (
    ContentTooLarge,
    FieldError,
    Invalid,
    MalformedJson,
    Problem,
    RequestTimeout,
)
from kingpost.problems import UnsupportedMediaType as Unsupported

MAX_DEPTH = 64
# Eight megabytes of brackets would keep the whole process busy for seconds, the parser too:
# a large body is counted before it is parsed.
MAX_VALUES = 20_000
_LARGE = 1_048_576
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


class JsonRequest(Request):
    """A request whose JSON body has been read and parsed already."""

    parsed: Any = None
    raw: bytes = b""

    async def body(self) -> bytes:
        """The bytes of the body."""
        return self.raw

    async def json(self) -> Any:
        """The parsed body."""
        return self.parsed


async def read_json(
    request: Request, *, max_bytes: int, before_parsing: Callable[[], object] | None = None
) -> JsonRequest:
    """Reads and parses the body of a request.

    Args:
        request: the request, its body not yet read.
        max_bytes: the largest body that is accepted, in bytes.
        before_parsing: checks what has to be right before the JSON is looked at.

    Returns:
        The request with its parsed body, for FastAPI to validate.

    Raises:
        UnsupportedMediaType: not `application/json` in UTF-8, or compressed.
        ContentTooLarge: more than `max_bytes`, announced or sent, or more than 20 000 values.
        RequestTimeout: the body was not complete in time.
        MalformedJson: not JSON, or JSON that two parsers read differently.
        Invalid: a number that no double can hold.
    """
    _check_media_type(request)
    raw = await _read(request, max_bytes)
    if before_parsing is not None:
        before_parsing()
    result = JsonRequest(request.scope, request.receive)
    result.raw = raw
    result.parsed = parse(raw)
    return result


def parse(raw: bytes) -> Any:
    """Parses JSON text strictly.

    Args:
        raw: the bytes as they were sent.

    Returns:
        dict, list, str, int, float, bool or None.

    Raises:
        MalformedJson: see `read_json`.
        ContentTooLarge: too many values.
        Invalid: a number that is out of range.
    """
    if raw.startswith(b"\xef\xbb\xbf"):
        raise MalformedJson("The body begins with a byte order mark; send UTF-8 without it.")
    if len(raw) > _LARGE:
        outside = _STRING.sub(b"", raw)
        _check_count(sum(map(outside.count, (b",", b"[", b"{"))))
    try:
        text = raw.decode("utf-8")
        value = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise MalformedJson("The body is not valid UTF-8.") from None
    except RecursionError:
        raise MalformedJson(_too_deep()) from None
    except ValueError as error:
        raise MalformedJson(_where(error)) from None
    _check_shape(value)
    return value


def _check_media_type(request: Request) -> None:
    scope = request.scope
    if _header(scope, b"content-encoding", "identity").strip().lower() != "identity":
        raise Unsupported("Compressed bodies are not accepted.", headers={"Accept-Encoding": ""})
    if not _is_json(_header(scope, b"content-type", "")):
        name = "Accept-Patch" if request.method == "PATCH" else "Accept-Post"
        raise Unsupported(headers={name: "application/json"})


def _header(scope: Scope, wanted: bytes, otherwise: str) -> str:
    for name, value in scope["headers"]:
        if name == wanted:
            return str(value, "latin-1")
    return otherwise


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    if not content_type:
        return False
    header = Message()
    header["content-type"] = content_type
    main, sub = header.get_content_maintype(), header.get_content_subtype()
    charset = str(header.get_param("charset", "utf-8")).lower()
    is_json = main == "application" and (sub == "json" or sub.endswith("+json"))
    return is_json and charset in {"utf-8", "utf8"}


async def _read(request: Request, max_bytes: int) -> bytes:
    announced = _header(request.scope, b"content-length", "0")
    if announced.isdigit() and int(announced) > max_bytes:
        raise _too_large(max_bytes)
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(max_bytes)
            chunks.append(chunk)
    except ClientDisconnect:
        raise _incomplete(request.scope) from None
    return b"".join(chunks)


def _incomplete(scope: Scope) -> Problem:
    if scope.get("kingpost.late"):
        return RequestTimeout("The body was not complete in time.")
    return MalformedJson("The connection ended before the body was complete.")


def _too_large(max_bytes: int) -> ContentTooLarge:
    detail = f"A body may have up to {max_bytes} bytes."
    return ContentTooLarge(detail, headers={"Connection": "close"})


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object repeats a name")
    return members


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise Invalid(errors=[FieldError("/body", "number_out_of_range", "A number is too large.")])
    return value


# `json.loads` would make one for every body.
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)


def _where(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"At line {error.lineno}, column {error.colno}: {error.msg}."
    if "integer string conversion" in str(error):
        return "A number has too many digits."
    return f"Invalid JSON: {error}."


def _too_deep() -> str:
    return f"The body is nested deeper than {MAX_DEPTH} levels."


def _check_shape(value: Any) -> None:
    """Walks level by level, so that the walk itself needs no stack."""
    level, count = _containers([value]), 0
    for _ in range(MAX_DEPTH):
        if not level:
            return
        count += sum(map(len, level))
        _check_count(count)
        level = [inner for node in level for inner in _containers(_items(node))]
    if level:
        raise MalformedJson(_too_deep())


def _check_count(values: int) -> None:
    if values > MAX_VALUES:
        raise ContentTooLarge(f"A body may have up to {MAX_VALUES} values.")


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]


def _items(node: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return node.values() if isinstance(node, dict) else node
