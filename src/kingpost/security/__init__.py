"""API keys: secrets, principals, scopes."""

from kingpost.security.authentication import (
    Authenticator,
    KeyAuthenticator,
    NoAuthentication,
    Principal,
    StoredKey,
)
from kingpost.security.failures import FailedAuthentications
from kingpost.security.last_used import LastUsed
from kingpost.security.secrets import derive, hash_key, key_id_of, new_key

__all__ = [
    "Authenticator",
    "FailedAuthentications",
    "KeyAuthenticator",
    "LastUsed",
    "NoAuthentication",
    "Principal",
    "StoredKey",
    "derive",
    "hash_key",
    "key_id_of",
    "new_key",
]
