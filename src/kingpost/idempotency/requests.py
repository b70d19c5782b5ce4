"""From the header Idempotency-Key to what is looked up: whose key, and for which request."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kingpost.idempotency.problems import IdempotencyKeyInvalid, IdempotencyKeyRequired

_LONGEST = 255
_CHARACTER = r'(?:[ !#-\[\]-~]|\\["\\])'
_BARE_CHARACTER = r"[A-Za-z0-9_.:-]"
_QUOTED = re.compile(f'"({_CHARACTER}*)"')
_BARE = re.compile(f"{_BARE_CHARACTER}+")
KEY_PATTERN = f'^(?:"{_CHARACTER}{{1,{_LONGEST}}}"|{_BARE_CHARACTER}{{1,{_LONGEST}}})$'
"""What a key looks like, for the OpenAPI document."""
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request with an Idempotency-Key.

    Attributes:
        principal: who asks.
        key: as it was sent, without quotes.
        request: method and route, for people.
        fingerprint: of `fingerprint_of`.
        is_sealed: its answer must not be readable from the database.
    """

    principal: str
    key: str = field(repr=False)
    request: str
    fingerprint: bytes
    is_sealed: bool

    @property
    def key_hash(self) -> bytes:
        """What is stored in place of the key, 32 bytes."""
        return hashlib.sha256(b"kingpost:idempotency-key:" + self.key.encode()).digest()

    @property
    def lock(self) -> int:
        """The number of its advisory lock, 64 bits with a sign."""
        digest = hashlib.sha256(self.key_hash + self.principal.encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)


def parse_key(lines: Sequence[bytes]) -> str:
    """Reads the header: `"…"`, a string of RFC 8941 section 3.3.3, or the same without quotes.

    Args:
        lines: the values of all headers of that name.

    Returns:
        1 to 255 characters; the same with quotes as without.

    Raises:
        IdempotencyKeyRequired: there is none.
        IdempotencyKeyInvalid: more than one, empty, too long, or with other characters.
    """
    if not lines:
        raise IdempotencyKeyRequired
    if len(lines) > 1:
        raise IdempotencyKeyInvalid("Send one Idempotency-Key.")
    text = lines[0].decode("latin-1").strip(" \t")
    quoted = _QUOTED.fullmatch(text)
    if quoted is not None:
        text = _ESCAPED.sub(r"\1", quoted[1])
    elif _BARE.fullmatch(text) is None:
        raise IdempotencyKeyInvalid('Send it as "…" of printable ASCII characters.')
    if not 1 <= len(text) <= _LONGEST:
        raise IdempotencyKeyInvalid(f"A key has 1 to {_LONGEST} characters.")
    return text


def fingerprint_of(method: str, path: str, query: bytes, document: Any) -> bytes:
    """What a key stands for: the same request has the same one, however its JSON is written.

    Args:
        method: of the request.
        path: of the request.
        query: as it was sent.
        document: the parsed body; None without one.

    Returns:
        A SHA-256, 32 bytes.
    """
    parts = [method, path, query.decode("latin-1"), document]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()
