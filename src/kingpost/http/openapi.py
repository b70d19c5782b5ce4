"""Makes the OpenAPI document tell the truth about failures."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from kingpost import problems
from kingpost.http.preconditions import declare_preconditions, declare_validators
from kingpost.idempotency.problems import (
    IdempotencyInFlight,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
)
from kingpost.problems import MEDIA_TYPE, Problem
from kingpost.ratelimit import AbnormalUsage, QuotaExceeded

_SCHEMA = "Problem"

PROBLEM_SCHEMA: dict[str, Any] = {
    "title": _SCHEMA,
    "description": "Problem details (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "description": "Which problem; its page explains it."},
        "title": {"type": "string", "description": "The same sentence for every occurrence."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What happened this time."},
        "instance": {"type": "string", "description": "The path of the request."},
        "request_id": {"type": "string", "description": "Quote it when you ask for help."},
        "errors": {
            "type": "array",
            "description": "What is wrong with the input, one entry each.",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "examples": ["/body/email"]},
                    "code": {"type": "string", "examples": ["taken"]},
                    "detail": {"type": "string"},
                },
            },
        },
        "more_errors": {
            "type": "boolean",
            "description": "true if more is wrong than is listed.",
        },
        "violated-policies": {
            "type": "array",
            "description": "The names of the limits that are used up.",
            "items": {"type": "string"},
        },
    },
}

_HEADERS: dict[int | str, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_HEADER_TEXTS = {
    "X-Request-Id": "The id that the logs have for the request.",
    "WWW-Authenticate": "How to prove who asks (RFC 6750).",
    "Retry-After": "Seconds after which another try makes sense.",
}
_OPTIONAL_HEADERS = {
    "Location": "The path of what was made, if it is one thing (RFC 9110 section 10.2.2).",
    "ETag": "The version of the resource, for If-None-Match and If-Match (RFC 9110 section 8.8.3).",
    "Link": "The pages after and before this one, `next` and `prev` (RFC 8288), if there are any.",
}
_LIMIT_HEADERS = {
    "RateLimit-Policy": 'The rate limit: `"default";q=REQUESTS;w=SECONDS`.',
    "RateLimit": 'What is left of it, and for how long: `"default";r=REQUESTS;t=SECONDS`.',
}


def problem_responses(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can answer with these problems.

    Args:
        *kinds: problem classes; several of one status are described together.

    Returns:
        What FastAPI takes as `responses=`.
    """
    titles: dict[int | str, list[str]] = {}
    for kind in kinds:
        titles.setdefault(kind.status, []).append(kind.title)
    return {status: _response(". ".join(lines) + ".", status) for status, lines in titles.items()}


def standard_responses(
    scopes: tuple[str, ...] | None, *, reads_body: bool, is_idempotent: bool = False
) -> dict[int | str, dict[str, Any]]:
    """The problems that a route can answer with because of what it is.

    Args:
        scopes: what it needs; None if it is open to everybody.
        reads_body: whether it reads a JSON body.
        is_idempotent: whether it honours Idempotency-Key.
    """
    kinds: list[type[Problem]] = [problems.BadRequest]
    if scopes is not None:
        kinds += [problems.Unauthenticated, problems.Forbidden, QuotaExceeded, AbnormalUsage]
    if reads_body:
        kinds += [problems.RequestTimeout, problems.ContentTooLarge]
        kinds += [problems.UnsupportedMediaType]
    kinds += [problems.Invalid, problems.Unavailable]
    if is_idempotent:
        kinds += [IdempotencyKeyInvalid, problems.Conflict, IdempotencyInFlight]
        kinds += [IdempotencyKeyReused]
    return problem_responses(*kinds) | {"default": _response("Any other problem.")}


def tell_the_truth(
    app: FastAPI, *, is_limited: bool = False, is_key_required: bool = False
) -> None:
    """Corrects the document that the app generates.

    It gets the schema of problems with their headers, `Location` where something is made and
    `Link` where a page is answered, and its query parameters lose the `null`
    that an optional one has in Python: a query can leave a parameter out, it cannot make it null.

    Args:
        app: whose document it is.
        is_limited: there is a rate limit, and answers have its headers.
        is_key_required: where an Idempotency-Key is honoured, it is required.
    """
    generate: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        components = document.setdefault("components", {})
        components.setdefault("schemas", {})[_SCHEMA] = PROBLEM_SCHEMA
        optional = _OPTIONAL_HEADERS | (_LIMIT_HEADERS if is_limited else {})
        components["headers"] = _headers(_HEADER_TEXTS, True) | _headers(optional, False)
        preconditions = _preconditions()
        for item in document["paths"].values():
            for operation in item.values():
                _declare_headers(operation["responses"])
                if is_limited and operation.get("security"):
                    _declare_limits(operation["responses"])
                declare_preconditions(operation, preconditions)
                declare_validators(operation, {"$ref": "#/components/headers/ETag"})
                for parameter in operation.get("parameters", ()):
                    parameter["schema"] = _without_null(parameter["schema"])
                    if is_key_required and parameter["name"] == "Idempotency-Key":
                        parameter["required"] = True
        return document

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI documents this as the way


def _headers(texts: dict[str, str], required: bool) -> dict[str, Any]:
    string = {"type": "string"}
    return {
        name: {"description": text, "required": required, "schema": string}
        for name, text in texts.items()
    }


def _declare_headers(responses: dict[str, Any]) -> None:
    declared = {"201": "Location"}
    if "/PageRead_" in str(responses.get("200")):
        declared["200"] = "Link"
    for status, name in declared.items():
        if status in responses:
            headers = responses[status].setdefault("headers", {})
            headers[name] = {"$ref": f"#/components/headers/{name}"}


def _declare_limits(responses: dict[str, Any]) -> None:
    """Where a client looks for them; other failures may have them as well."""
    for status, response in responses.items():
        if status.startswith("2") or status == str(QuotaExceeded.status):
            headers = response.setdefault("headers", {})
            headers |= {n: {"$ref": f"#/components/headers/{n}"} for n in _LIMIT_HEADERS}


def _preconditions() -> dict[str, Any]:
    kinds = (problems.PreconditionFailed, problems.PreconditionRequired)
    return {str(status): answer for status, answer in problem_responses(*kinds).items()}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    kinds: list[dict[str, Any]] = schema.get("anyOf", [])
    others = [kind for kind in kinds if kind != {"type": "null"}]
    if len(others) != 1:
        return schema
    return {name: value for name, value in schema.items() if name != "anyOf"} | others[0]


def _response(description: str, status: int | str = "default") -> dict[str, Any]:
    reference = {"schema": {"$ref": f"#/components/schemas/{_SCHEMA}"}}
    names = ["X-Request-Id", *_HEADERS.get(status, ())]
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    return {"description": description, "headers": headers, "content": {MEDIA_TYPE: reference}}
