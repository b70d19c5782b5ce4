"""The answer that is remembered, and its encryption where it holds a secret."""

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kingpost.idempotency.problems import IdempotencyAnswerUnreadable
from kingpost.idempotency.requests import KeyedRequest

_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """A whole answer.

    Attributes:
        status: the HTTP status.
        headers: names and values.
        body: the content.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def columns(self, keyed: KeyedRequest, secret: bytes) -> dict[str, Any]:
        """The columns of its row.

        Args:
            keyed: the request that it answers.
            secret: of the service, 32 bytes.
        """
        headers = [[part.decode("latin-1") for part in pair] for pair in self.headers]
        columns = {"status": self.status, "is_sealed": keyed.is_sealed}
        if not keyed.is_sealed:
            return columns | {"headers": headers, "body": self.body}
        nonce = secrets.token_bytes(_NONCE_BYTES)
        plain = json.dumps(headers).encode() + b"\n" + self.body
        sealed = nonce + _cipher(keyed, secret).encrypt(nonce, plain, _bound_to(keyed))
        return columns | {"headers": [], "body": sealed}


def read_answer(
    status: int, headers: str, body: bytes, keyed: KeyedRequest, secret: bytes, *, is_sealed: bool
) -> StoredAnswer:
    """The answer of a row.

    Args:
        status: its column.
        headers: its column, as text.
        body: its column.
        keyed: the request that is answered.
        secret: of the service, 32 bytes.
        is_sealed: its column.

    Returns:
        The answer, as it was stored.

    Raises:
        IdempotencyAnswerUnreadable: it was sealed with another secret.
    """
    if is_sealed:
        nonce, sealed = body[:_NONCE_BYTES], body[_NONCE_BYTES:]
        try:
            plain = _cipher(keyed, secret).decrypt(nonce, sealed, _bound_to(keyed))
        except InvalidTag:
            raise IdempotencyAnswerUnreadable from None
        text, _, body = plain.partition(b"\n")
        headers = text.decode()
    pairs = json.loads(headers)
    return StoredAnswer(
        status, [(n.encode("latin-1"), v.encode("latin-1")) for n, v in pairs], body
    )


def _cipher(keyed: KeyedRequest, secret: bytes) -> AESGCM:
    """Its key needs what only the service has, and what only the client has."""
    return AESGCM(hmac.digest(secret, b"seal:" + keyed.key.encode(), hashlib.sha256))


def _bound_to(keyed: KeyedRequest) -> bytes:
    """A sealed body of one row does not open in another."""
    return keyed.fingerprint + keyed.key_hash + keyed.principal.encode()
