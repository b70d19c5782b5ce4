"""Conditional requests (RFC 9110 section 13): nobody overwrites what they have not seen."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header
from starlette.requests import Request

from kingpost.problems import BadRequest, PreconditionFailed, PreconditionRequired

# RFC 9110 section 8.8.3, in a list of section 5.6.1, which may have empty members
_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_LIST = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_TAGS = re.compile(_TAG)
_ANY = "*"
_OK, _NOT_MODIFIED = 200, 304
_OTHER = (
    "If-Match names no current ETag of this resource: it was changed since you read it, or the "
    "ETag is that of another address, such as one with a query. GET this address again."
)
_SHOWN_TAG = r'(?:W/)?"[!#-~]*"'
_SHOWN = (
    rf"^(?:\*|{_SHOWN_TAG}(?:, ?{_SHOWN_TAG})*)$"  # shown, not checked: what else is read is 400
)

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Precondition:
    """What a client asks of the state of a resource before it is changed.

    Attributes:
        tags: the ETags of `If-Match`, weak ones included; `{"*"}` for any state; None without it.
        none_of: those of `If-None-Match`, without `W/`; `{"*"}` for none at all.
    """

    tags: frozenset[str] | None
    none_of: frozenset[str] = frozenset()

    def check(self, etag: str) -> None:
        """Lets a change go on only if the client knows what it changes.

        Call it when the row is locked, before anything is changed.

        Args:
            etag: of the resource as it is, such as `POST.etag(post)`; strong comparison, so a
                weak tag never matches (RFC 9110 section 13.1.1).

        Raises:
            PreconditionRequired: the request has no `If-Match`.
            PreconditionFailed: no tag of `If-Match` is that of the resource, or one of
                `If-None-Match` is (RFC 9110 section 13.1.2).
        """
        if _is_among(etag, self.none_of):
            raise PreconditionFailed("If-None-Match excludes what is there.")
        if self.tags is None:
            raise PreconditionRequired("Send If-Match with the ETag of your copy, or with *.")
        if not _is_among(etag, self.tags):
            raise PreconditionFailed(_OTHER)


async def if_match(
    request: Request,
    _: Annotated[
        str | None,
        Header(
            alias="If-Match",
            description="The ETag of your copy, several of them, or `*` for whatever is there.",
            json_schema_extra={"pattern": _SHOWN},
        ),
    ] = None,
) -> Precondition:
    """The precondition of a request; the dependency behind `IfMatch`.

    Args:
        request: its `If-Match` lines are one list (RFC 9110 section 5.3).

    Returns:
        The precondition, for the use case to check.

    Raises:
        BadRequest: `If-Match` is neither `*` nor a list of ETags.
    """
    headers = request.scope["headers"]
    return Precondition(_wanted(headers), _known(headers))


IfMatch = Annotated[Precondition, Depends(if_match)]
"""The precondition of a request that changes something: `match.check(POST.etag(post))`."""


def is_known(headers: Headers, etag: str) -> bool:
    """Whether `If-None-Match` says that the client has this document already.

    A malformed header is as none: the client gets the document, which is never wrong.

    Args:
        headers: of the request.
        etag: of the document; weak comparison (RFC 9110 section 13.1.2).

    Returns:
        Whether 304 is the answer to a GET or HEAD.
    """
    return _is_among(etag, _known(headers))


def check_wanted(headers: Headers, etag: str) -> None:
    """Lets a document be read only if it is one that `If-Match` names, if there is any.

    Args:
        headers: of the request.
        etag: of the document; strong comparison (RFC 9110 section 13.1.1).

    Raises:
        BadRequest: `If-Match` is neither `*` nor a list of ETags.
        PreconditionFailed: it names others.
    """
    wanted = _wanted(headers)
    if wanted is not None and not _is_among(etag, wanted):
        raise PreconditionFailed(_OTHER)


def declare_preconditions(operation: dict[str, Any], problems: Mapping[str, Any]) -> None:
    """Says in the OpenAPI document that `If-Match` is needed, and what happens without.

    Args:
        operation: of the document; changed if it takes `If-Match`.
        problems: the responses 412 and 428.
    """
    for parameter in operation.get("parameters", ()):
        if parameter["name"] == "If-Match":
            parameter["required"] = True
            operation["responses"].update(problems)


def declare_validators(operation: dict[str, Any], etag: Mapping[str, Any]) -> None:
    """Says in the OpenAPI document how a client finds out that its copy is the current one.

    Args:
        operation: of the document; changed if it can answer 304.
        etag: the header that 200 and 304 have.
    """
    responses = operation["responses"]
    if str(_NOT_MODIFIED) not in responses:
        return
    for status in (_OK, _NOT_MODIFIED):
        responses[str(status)].setdefault("headers", {})["ETag"] = etag
    operation.setdefault("parameters", []).append(
        {
            "name": "If-None-Match",
            "in": "header",
            "required": False,
            "description": "The ETag of your copy: 304 without a body if nothing has changed.",
            "schema": {"type": "string"},
        }
    )


def _wanted(headers: Headers) -> frozenset[str] | None:
    lines = _lines(headers, b"if-match")
    if not lines:
        return None
    text = ", ".join(lines).strip()
    if text == _ANY:
        return frozenset({_ANY})
    if not _LIST.fullmatch(text):
        raise BadRequest('If-Match is neither * nor a list of ETags such as "3-0a1b2c".')
    return frozenset(_TAGS.findall(text))


def _known(headers: Headers) -> frozenset[str]:
    text = ", ".join(_lines(headers, b"if-none-match")).strip()
    if text == _ANY:
        return frozenset({_ANY})
    if not _LIST.fullmatch(text):
        return frozenset()
    return frozenset(tag.removeprefix("W/") for tag in _TAGS.findall(text))


def _is_among(etag: str, tags: frozenset[str]) -> bool:
    return _ANY in tags or etag in tags


def _lines(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key == name]
