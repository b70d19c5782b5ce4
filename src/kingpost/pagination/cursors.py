"""Cursors: places in an ordered result, opaque to the client and useless elsewhere."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Any

from kingpost.pagination.values import dump, load
from kingpost.problems import InvalidCursor

_VERSION = b"\x02"
_TAG_BYTES = 16
_LONGEST = 8192
_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Side(Enum):
    """Which rows a cursor asks for, seen from its place."""

    AFTER = ">"
    FROM = ">="
    BEFORE = "<"
    UP_TO = "<="

    @property
    def forward(self) -> bool:
        """Whether the rows follow the place."""
        return self in {Side.AFTER, Side.FROM}

    @property
    def inclusive(self) -> bool:
        """Whether a row at the very place is asked for as well."""
        return self in {Side.FROM, Side.UP_TO}

    @property
    def others(self) -> "Side":
        """The side that has exactly the other rows."""
        return _OTHERS[self]


_OTHERS = {
    Side.AFTER: Side.UP_TO,
    Side.UP_TO: Side.AFTER,
    Side.BEFORE: Side.FROM,
    Side.FROM: Side.BEFORE,
}


@dataclass(frozen=True, slots=True)
class Position:
    """A place in an ordered result and the side of it that is asked for.

    Attributes:
        side: which rows.
        values: of the sort keys at that place; a row need not be there any more.
    """

    side: Side
    values: tuple[Any, ...]


class Cursors:
    """Writes and reads cursors.

    A cursor is base64url of a version, the place as JSON, and a seal of 16 bytes: keyed BLAKE2b
    (RFC 7693, section 2.9) over both and over the query that it belongs to.

    Args:
        secret: of the service, the same in all its processes.
    """

    def __init__(self, secret: bytes) -> None:
        key = hmac.digest(secret, b"kingpost cursor", sha256)
        self._seal = blake2b(key=key, digest_size=_TAG_BYTES)

    def write(self, position: Position, query: str) -> str:
        """The cursor of a place.

        Args:
            position: the place.
            query: identifies the query, its filters and its order.

        Returns:
            Letters, digits, `-` and `_`.
        """
        content = [position.side.value, *(dump(value) for value in position.values)]
        payload = _VERSION + _as_json(content).encode()
        return _encode(payload + self._tag(payload, query))

    def read(self, cursor: str, query: str) -> Position:
        """The place that a cursor stands for.

        Args:
            cursor: from a client.
            query: as in `write`.

        Returns:
            The place.

        Raises:
            InvalidCursor: if it was changed, or written for another query or by another secret.
        """
        raw = _decode(cursor)
        payload, tag = raw[:-_TAG_BYTES], raw[-_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(payload, query)) or payload[:1] != _VERSION:
            raise InvalidCursor("the cursor was changed or belongs to another query")
        side, *values = json.loads(payload[1:])
        return Position(Side(side), tuple(load(value) for value in values))

    def _tag(self, payload: bytes, query: str) -> bytes:
        seal = self._seal.copy()
        seal.update(_context(query) + payload)
        return seal.digest()


@lru_cache(maxsize=1000)
def _context(query: str) -> bytes:
    """The same for each cursor of a list."""
    return sha256(query.encode("utf-8", "surrogatepass")).digest()


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _decode(cursor: str) -> bytes:
    if len(cursor) > _LONGEST:
        raise InvalidCursor("the cursor is too long")
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except (UnicodeEncodeError, Base64Error):
        raw = b""
    # base64 has several spellings of the same bytes and skips foreign characters; we have one
    if not raw or _encode(raw) != cursor:
        raise InvalidCursor("the cursor is not one of ours")
    return raw


def signature(query: str, order: Sequence[object]) -> str:
    """What a cursor is tied to: the query, and the order in which its rows come.

    Args:
        query: identifies the filters and the route.
        order: the signatures of the sort keys.

    Returns:
        A text without ambiguity between the two.
    """
    return json.dumps([query, *order])
