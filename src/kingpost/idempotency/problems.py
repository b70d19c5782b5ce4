"""What can be wrong with a request with an Idempotency-Key.

BadRequest
├── IdempotencyKeyRequired       400  idempotency-key-required
└── IdempotencyKeyInvalid        400  idempotency-key-invalid
Conflict
├── IdempotencyInFlight          409  idempotency-in-flight
└── IdempotencyAnswerUnreadable  409  idempotency-answer-unreadable
Invalid
└── IdempotencyKeyReused         422  idempotency-key-reused

The others are in `kingpost.problems`.
"""

from kingpost.problems import BadRequest, Conflict, Invalid


class IdempotencyKeyRequired(BadRequest):
    """The route, or the service, wants an Idempotency-Key, and there is none."""

    slug = "idempotency-key-required"
    title = "An Idempotency-Key is required"


class IdempotencyKeyInvalid(BadRequest):
    """The Idempotency-Key is no string of 1 to 255 characters (RFC 8941 section 3.3.3)."""

    slug = "idempotency-key-invalid"
    title = "The Idempotency-Key is not valid"


class IdempotencyInFlight(Conflict):
    """The first request with this Idempotency-Key is still running."""

    slug = "idempotency-in-flight"
    title = "The first request with this Idempotency-Key is still running"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class IdempotencyAnswerUnreadable(Conflict):
    """The change was made, and its sealed answer was sealed with another secret."""

    slug = "idempotency-answer-unreadable"
    title = "The change was made, and its answer can no longer be read"


class IdempotencyKeyReused(Invalid):
    """The Idempotency-Key was used for another request before."""

    slug = "idempotency-key-reused"
    title = "The Idempotency-Key was used for another request"
