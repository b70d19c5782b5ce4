"""Retries that are safe: what a request changed and what it was answered are stored together."""

from kingpost.idempotency.answers import StoredAnswer
from kingpost.idempotency.idempotency import Idempotency
from kingpost.idempotency.model import IdempotencyKeyMixin
from kingpost.idempotency.requests import KEY_PATTERN, KeyedRequest, fingerprint_of, parse_key

__all__ = [
    "KEY_PATTERN",
    "Idempotency",
    "IdempotencyKeyMixin",
    "KeyedRequest",
    "StoredAnswer",
    "fingerprint_of",
    "parse_key",
]
