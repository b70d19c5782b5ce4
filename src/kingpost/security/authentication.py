"""Who asks: from the Authorization header to a principal with scopes."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from kingpost.problems import Forbidden, Unauthenticated
from kingpost.security.secrets import hash_key, key_id_of, same_hash

_CACHED_KEYS = 10_000
_HOW = "Send it as `Authorization: Bearer <key>`."


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What the service knows of a key.

    Attributes:
        id: the id of the row.
        key_hash: as made by `hash_key`, 32 bytes.
        scopes: what it may do, such as `posts:read` or `posts:*`.
        expires_at: from then on it is refused; None for never.
        revoked_at: since when it is refused; None for not revoked.
    """

    id: UUID
    key_hash: bytes
    scopes: frozenset[str]
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and what it may do.

    Attributes:
        actor: how logs and audit name it, such as `key:0199…`.
        scopes: granted scopes; `noun:*` grants every scope of the noun, `*` grants all.
        key_id: the id of its API key; None where keys are off.
    """

    actor: str
    scopes: frozenset[str]
    key_id: UUID | None = None

    def require(self, scopes: Iterable[str]) -> None:
        """Checks that all scopes are granted.

        Args:
            scopes: such as `posts:read`, which `posts:*` grants as well.

        Raises:
            Forbidden: with the names of the missing ones (RFC 6750 section 3.1).
        """
        missing = [scope for scope in scopes if not self._has(scope)]
        if missing:
            names = " ".join(missing)
            header = f'Bearer error="insufficient_scope", scope="{names}"'
            raise Forbidden(f"Missing: {names}.", headers={"WWW-Authenticate": header})

    def _has(self, scope: str) -> bool:
        noun = scope.partition(":")[0]
        return not self.scopes.isdisjoint((scope, f"{noun}:*", "*"))


class Authenticator(Protocol):
    """Turns the Authorization headers of a request into a principal."""

    async def authenticate(self, authorization: list[str]) -> Principal:
        """Recognises who asks.

        Args:
            authorization: the values of all Authorization headers.

        Returns:
            The principal.

        Raises:
            Unauthenticated: nobody can be recognised (RFC 9110 section 11.6.1).
        """
        ...


class NoAuthentication:
    """Lets everybody do everything: for development, when keys are switched off."""

    async def authenticate(self, authorization: list[str]) -> Principal:  # noqa: ARG002 - protocol
        """Returns the same all-powerful principal for every request."""
        return Principal("anonymous", frozenset({"*"}))


class KeyAuthenticator:
    """Recognises API keys sent as `Authorization: Bearer …` (RFC 6750 section 2.1).

    A key that was found is remembered for a short time, so that a request costs no query of its
    own. A key revoked by another process lives on for that time at most; `forget` ends it here.

    Args:
        find: looks a key up by its id; a failure of the store propagates, so nobody gets in.
        pepper: the secret of `hash_key`.
        cache_seconds: how long a found key is remembered.
        used: told the id of every key that was accepted.
    """

    def __init__(
        self,
        find: Callable[[UUID], Awaitable[StoredKey | None]],
        *,
        pepper: bytes,
        cache_seconds: float,
        used: Callable[[UUID], None],
    ) -> None:
        self._find = find
        self._pepper = pepper
        self._cache_seconds = cache_seconds
        self._used = used
        self._known: OrderedDict[UUID, tuple[float, StoredKey]] = OrderedDict()
        self._changes = 0

    async def authenticate(self, authorization: list[str]) -> Principal:
        """Returns the principal of a valid key.

        Args:
            authorization: all Authorization headers of the request; exactly one is accepted.

        Raises:
            Unauthenticated: the same answer for no key, a malformed, unknown, expired or
                revoked one, so that nothing can be learnt from it.
        """
        if not authorization:
            raise Unauthenticated(_HOW, headers={"WWW-Authenticate": "Bearer"})
        key = _bearer_token(authorization)
        key_id = key_id_of(key)
        stored = await self._stored(key_id) if key_id else None
        offered = hash_key(key, self._pepper)
        if not same_hash(offered, stored.key_hash if stored else bytes(32)) or stored is None:
            raise _invalid_token()
        if stored.revoked_at is not None or _is_past(stored.expires_at):
            raise _invalid_token()
        self._used(stored.id)
        return Principal(f"key:{stored.id}", stored.scopes, stored.id)

    def forget(self, key_id: UUID) -> None:
        """Has a key looked up again at its next use, since it has changed.

        Args:
            key_id: of the key.
        """
        self._changes += 1
        self._known.pop(key_id, None)

    async def _stored(self, key_id: UUID) -> StoredKey | None:
        known = self._known.get(key_id)
        now = time.monotonic()
        if known is not None and known[0] > now:
            return known[1]
        changes = self._changes
        stored = await self._find(key_id)
        is_current = changes == self._changes  # or the old row would outlive the change
        if stored is not None and is_current and self._cache_seconds > 0:
            self._known[key_id] = (now + self._cache_seconds, stored)
            if len(self._known) > _CACHED_KEYS:
                self._known.popitem(last=False)
        return stored


def _bearer_token(authorization: list[str]) -> str:
    scheme, _, token = authorization[0].strip().partition(" ")
    if len(authorization) != 1 or scheme.lower() != "bearer":
        raise _invalid_token()
    return token.strip()


def _invalid_token() -> Unauthenticated:
    return Unauthenticated(_HOW, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


def _is_past(moment: datetime | None) -> bool:
    return moment is not None and moment <= datetime.now(UTC)
