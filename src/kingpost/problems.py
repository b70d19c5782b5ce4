"""Every failure that a client can be told about, as RFC 9457 problem details.

    Problem                        500  internal-error
    ├── BadRequest                 400  bad-request
    │   ├── MalformedJson          400  malformed-json
    │   └── InvalidCursor          400  invalid-cursor
    ├── Unauthenticated            401  unauthenticated
    ├── Forbidden                  403  forbidden
    ├── NotFound                   404  not-found
    ├── MethodNotAllowed           405  method-not-allowed
    ├── RequestTimeout             408  request-timeout
    ├── Conflict                   409  conflict
    ├── PreconditionFailed         412  precondition-failed
    ├── ContentTooLarge            413  content-too-large
    ├── UriTooLong                 414  uri-too-long
    ├── UnsupportedMediaType       415  unsupported-media-type
    ├── Invalid                    422  validation-error
    │   ├── UnknownField           422  unknown-field
    │   ├── UnknownParameter       422  unknown-parameter
    │   └── InvalidReference       422  invalid-reference
    ├── PreconditionRequired       428  precondition-required
    ├── HeaderTooLarge             431  header-too-large
    ├── MethodNotImplemented       501  method-not-implemented
    └── Unavailable                503  unavailable, always with Retry-After
        ├── Busy                   503  temporary-reduced-capacity
        ├── DeadlineExceeded       503  deadline-exceeded
        └── OutcomeUnknown         503  outcome-unknown

A service derives its domain errors from these, so that one renderer serves them all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong with the input, never with the input itself in it.

    Attributes:
        pointer: where, as a JSON pointer (RFC 6901) with its location in front:
            `/body/email`, `/query/limit`, `/body/items/3/title`.
        code: a stable word for programs, such as `missing` or `string_too_long`.
        detail: a sentence for people.
    """

    pointer: str
    code: str
    detail: str


class Problem(Exception):
    """A failure with a status, a stable type and a sentence for people (RFC 9457).

    Subclasses set `status`, `slug` and `title`; an instance adds what happened this time.

    Args:
        detail: a sentence about this occurrence; without it the answer has no `detail`.
        errors: the list of what is wrong, for invalid input.
        headers: HTTP headers of the answer.
        **extensions: further members of the problem document (RFC 9457 section 3.2).
    """

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extensions = extensions

    def document(self, *, request_id: str | None, instance: str | None) -> dict[str, Any]:
        """The problem document, members in the order of RFC 9457 section 3.1.

        Args:
            request_id: the id that the logs have for this request.
            instance: the path of the request.

        Returns:
            A mapping ready for `json.dumps`.
        """
        members: dict[str, Any] = {
            "type": f"/problems/{self.slug}",
            "title": self.title,
            "status": self.status,
        }
        given = {"detail": self.detail, "instance": instance, "request_id": request_id}
        members |= {name: value for name, value in given.items() if value is not None}
        if self.errors:
            members["errors"] = [
                {"pointer": e.pointer, "code": e.code, "detail": e.detail} for e in self.errors
            ]
        return members | self.extensions


class BadRequest(Problem):
    """The request cannot be parsed."""

    status = 400
    slug = "bad-request"
    title = "The request cannot be understood"


class MalformedJson(BadRequest):
    """The body is not the JSON of RFC 8259, or repeats a name."""

    slug = "malformed-json"
    title = "The body is not valid JSON"


class InvalidCursor(BadRequest):
    """The cursor was changed, or belongs to another query."""

    slug = "invalid-cursor"
    title = "The cursor does not belong to this query"


class Unauthenticated(Problem):
    """No key, or one that is not valid; the same answer for all of them."""

    status = 401
    slug = "unauthenticated"
    title = "A valid API key is required"


class Forbidden(Problem):
    """The key is valid and lacks the scope."""

    status = 403
    slug = "forbidden"
    title = "The API key lacks a scope"


class NotFound(Problem):
    """There is no such thing, ids that cannot exist included."""

    status = 404
    slug = "not-found"
    title = "There is no such resource"


class MethodNotAllowed(Problem):
    """The path exists, the method does not; `Allow` says which do."""

    status = 405
    slug = "method-not-allowed"
    title = "The resource does not support this method"


class RequestTimeout(Problem):
    """The head or the body of the request did not arrive in time; nothing was done."""

    status = 408
    slug = "request-timeout"
    title = "The request did not arrive in time"


class Conflict(Problem):
    """The request contradicts what is already there."""

    status = 409
    slug = "conflict"
    title = "The request conflicts with what is there"


class PreconditionFailed(Problem):
    """The resource is not in the state that `If-Match` or `If-None-Match` asks for."""

    status = 412
    slug = "precondition-failed"
    title = "The resource is not in the state that was asked for"


class ContentTooLarge(Problem):
    """The body is larger than the limit."""

    status = 413
    slug = "content-too-large"
    title = "The body is too large"


class UriTooLong(Problem):
    """The request line is longer than the limit."""

    status = 414
    slug = "uri-too-long"
    title = "The address is too long"


class UnsupportedMediaType(Problem):
    """The body is not sent as plain, uncompressed JSON."""

    status = 415
    slug = "unsupported-media-type"
    title = "The body must be application/json"


class Invalid(Problem):
    """The input was parsed and is not valid; `errors` says where."""

    status = 422
    slug = "validation-error"
    title = "The input is not valid"


class UnknownField(Invalid):
    """The body has members that the resource does not have."""

    slug = "unknown-field"
    title = "The body has unknown fields"


class UnknownParameter(Invalid):
    """The query has parameters that the resource does not know."""

    slug = "unknown-parameter"
    title = "The query has unknown parameters"


class InvalidReference(Invalid):
    """The input points to something that does not exist."""

    slug = "invalid-reference"
    title = "The input refers to something that does not exist"


class PreconditionRequired(Problem):
    """The request changes something and does not say what state it knows (RFC 6585 section 3)."""

    status = 428
    slug = "precondition-required"
    title = "If-Match is required"


class HeaderTooLarge(Problem):
    """The header section is larger than the limit."""

    status = 431
    slug = "header-too-large"
    title = "The headers are too large"


class MethodNotImplemented(Problem):
    """The server does not know this method at all."""

    status = 501
    slug = "method-not-implemented"
    title = "The server does not know this method"


class Unavailable(Problem):
    """Something that may pass: the same request can succeed later.

    Args:
        detail: a sentence about this occurrence.
        retry_after: seconds after which another try makes sense, for `Retry-After`.
    """

    status = 503
    slug = "unavailable"
    title = "The service is temporarily unavailable"

    def __init__(self, detail: str | None = None, *, retry_after: int = 1, **extensions: Any):
        super().__init__(detail, headers={"Retry-After": str(retry_after)}, **extensions)


class Busy(Unavailable):
    """Too much is going on right now: no free connection, a lock, a conflict of writers."""

    slug = "temporary-reduced-capacity"
    title = "The service is busy"


class DeadlineExceeded(Unavailable):
    """The request took longer than its deadline and was given up; nothing was committed."""

    slug = "deadline-exceeded"
    title = "The request took too long"


class OutcomeUnknown(Unavailable):
    """COMMIT was sent and its answer never came: the change may or may not have happened."""

    slug = "outcome-unknown"
    title = "It is not known whether the change was made"
