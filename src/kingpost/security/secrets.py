"""API keys: how they look, how they are recognised, how they are stored.

    kp_<environment>_<id><secret><checksum>

A prefix that secret scanners find, the id of the row (32 hexadecimal digits, no secret), 32
random characters (190 bits), and six characters of checksum, so that a typing error is told
apart from an unknown key without asking the database. All of it is one word to a double click.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from uuid import UUID

_ALPHABET = string.digits + string.ascii_letters
_SECRET_LENGTH = 32
_CHECKSUM_LENGTH = 6
_KEY = re.compile(r"kp_[a-z]{1,16}_([0-9a-f]{32})[0-9A-Za-z]{38}", re.ASCII)


def new_key(key_id: UUID, environment: str) -> str:
    """Makes the text of a new key from a cryptographic random source.

    Args:
        key_id: the id of the row that will hold the hash.
        environment: where it is for, in lower-case letters, such as `production`.

    Returns:
        The key, to be shown once and never stored.
    """
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    text = f"kp_{environment}_{key_id.hex}{body}"
    return text + _checksum(text)


def key_id_of(key: str) -> UUID | None:
    """The id inside a key, or None if this is no key at all (form or checksum is wrong)."""
    found = _KEY.fullmatch(key)
    if found is None or _checksum(key[:-_CHECKSUM_LENGTH]) != key[-_CHECKSUM_LENGTH:]:
        return None
    return UUID(found[1])


def hash_key(key: str, pepper: bytes) -> bytes:
    """What is stored instead of the key: HMAC-SHA256 (RFC 2104) with a secret of the service.

    Args:
        key: the whole key.
        pepper: kept outside the database, so that a stolen dump alone checks no guesses.

    Returns:
        32 bytes.
    """
    return hmac.digest(pepper, key.encode(), hashlib.sha256)


def same_hash(one: bytes, other: bytes) -> bool:
    """Compares two hashes in a time that does not depend on where they differ."""
    return hmac.compare_digest(one, other)


def derive(secret: str, purpose: str) -> bytes:
    """A key of its own for each purpose from the one secret of the service (RFC 5869, extract).

    Args:
        secret: the service's secret.
        purpose: what the key is for, such as `cursors`.

    Returns:
        32 bytes.
    """
    return hmac.digest(b"kingpost:" + purpose.encode(), secret.encode(), hashlib.sha256)


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)
