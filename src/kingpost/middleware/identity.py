"""Which request is this: the id that clients may bring, and the trace they belong to."""

import re

import uuid_utils

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


def identify(headers: list[tuple[bytes, bytes]]) -> tuple[str, dict[str, object]]:
    """Finds out which request this is.

    Args:
        headers: of the request, names in lower case.

    Returns:
        Its id, and the fields of its trace for logs.
    """
    names = dict(headers)  # without a loop: most requests have neither
    if b"x-request-id" not in names and b"traceparent" not in names:
        return new_request_id(), {}
    request_id = request_id_from(single(headers, b"x-request-id"))
    return request_id, trace_from(single(headers, b"traceparent"))


def new_request_id() -> str:
    """A fresh id that sorts by time."""
    return uuid_utils.uuid7().hex


def request_id_from(value: bytes | None) -> str:
    """The id a client sent, if it is one that may stand in logs and headers; or a new one.

    Args:
        value: of the header `X-Request-Id`; None if it is absent or there are several.

    Returns:
        1 to 128 characters out of `A-Z a-z 0-9 . _ -`.
    """
    if value is not None and _REQUEST_ID.fullmatch(value):
        return value.decode("ascii")
    return new_request_id()


def trace_from(value: bytes | None) -> dict[str, object]:
    """The fields for logs out of a `traceparent` (W3C Trace Context, section 3.2).

    Args:
        value: of the header; None if it is absent or there are several.

    Returns:
        `trace_id` and `span_id` (the caller's), or nothing if the value is not valid.
    """
    match = _TRACEPARENT.fullmatch(value) if value is not None else None
    if match is None:
        return {}
    version, trace, span, rest = match.groups()
    if version == b"ff" or (version == b"00" and rest) or not trace.strip(b"0"):
        return {}
    if not span.strip(b"0"):
        return {}
    return {"trace_id": trace.decode("ascii"), "span_id": span.decode("ascii")}


def single(headers: list[tuple[bytes, bytes]], wanted: bytes) -> bytes | None:
    """The value of a header that may occur once; None if it is absent or repeated."""
    found = [value for name, value in headers if name == wanted]
    return found[0] if len(found) == 1 else None
