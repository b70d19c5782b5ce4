"""Who asks: from the Authorization header to a principal with scopes."""

import asyncio
import hashlib
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from kingpost.context import current_request
from kingpost.problems import Forbidden, Unauthenticated
from kingpost.security.failures import FailedAuthentications
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
        seconds_left: until it is refused, by the clock of the database; None for never.
        revoked_at: since when it is refused; None for not revoked.
        principal_id: the first of the keys that succeeded each other, if this is a successor.
    """

    id: UUID
    key_hash: bytes
    scopes: frozenset[str]
    seconds_left: float | None
    revoked_at: datetime | None
    principal_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and what it may do.

    Attributes:
        actor: how logs and audit name it, such as `key:0199…`.
        scopes: granted scopes; `noun:*` grants every scope of the noun, `*` grants all.
        key_id: the id of its API key; None where keys are off.
        subject: who it is to rate limits and Idempotency-Key, which a successor of a key shares
            with it; the actor unless given.
    """

    actor: str
    scopes: frozenset[str]
    key_id: UUID | None = None
    subject: str = ""

    def __post_init__(self) -> None:
        """Makes the actor the subject, if there is no other."""
        object.__setattr__(self, "subject", self.subject or self.actor)

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
    What was accepted is recognised again by a digest of the header, keyed with a secret of this
    process; the header itself is not kept. The clock of this machine may be wrong: when a key
    expires is for the database to say.

    An address from which too many wrong keys came gets 429 for a while, before anything is hashed
    or looked up. A header that this process has accepted before goes on to be accepted from there,
    so that whoever shares an address with a guesser keeps working.

    Args:
        find: looks a key up by its id; a failure of the store propagates, so nobody gets in.
        pepper: the secret of `hash_key`.
        cache_seconds: how long a found key is remembered.
        used: told the id of every key that was accepted.
        failures: counts wrong keys by address; None for any number of them.
    """

    def __init__(
        self,
        find: Callable[[UUID], Awaitable[StoredKey | None]],
        *,
        pepper: bytes,
        cache_seconds: float,
        used: Callable[[UUID], None],
        failures: FailedAuthentications | None = None,
    ) -> None:
        self._find = find
        self._pepper = pepper
        self._cache_seconds = cache_seconds
        self._used = used
        self._failures = failures
        self._known: OrderedDict[UUID, _KnownKey] = OrderedDict()
        self._accepted: OrderedDict[bytes, _KnownKey] = OrderedDict()
        self._digest = hashlib.blake2b(key=secrets.token_bytes(32), digest_size=32)
        self._changes = 0
        self._looking: dict[UUID, asyncio.Task[_KnownKey | None]] = {}

    async def authenticate(self, authorization: list[str]) -> Principal:
        """Returns the principal of a valid key.

        Args:
            authorization: all Authorization headers of the request; exactly one is accepted.

        Raises:
            Unauthenticated: the same answer for no key, a malformed, unknown, expired or
                revoked one, so that nothing can be learnt from it.
            AbnormalUsage: too many wrong keys came from this address.
        """
        if not authorization or not authorization[0].strip():
            raise Unauthenticated(_HOW, headers={"WWW-Authenticate": "Bearer"})
        digest = self._digest_of(authorization)
        known = self._accepted.get(digest)
        if known is None or known.fresh_until <= time.monotonic():
            known = await self._renewed(digest, authorization)
        if known.expires <= time.monotonic():
            raise _invalid_token()
        self._used(known.stored.id)
        return known.principal

    def forget(self, key_id: UUID) -> None:
        """Has a key looked up again at its next use, since it has changed.

        Args:
            key_id: of the key.
        """
        self._changes += 1
        self._looking.pop(key_id, None)  # it may have read what was there before
        self._let_go(self._known.pop(key_id, None))

    def _digest_of(self, authorization: list[str]) -> bytes:
        digest = self._digest.copy()
        digest.update("\n".join(authorization).encode())  # a header is one line
        return digest.digest()

    async def _renewed(self, digest: bytes, authorization: list[str]) -> "_KnownKey":
        """Checks a header that was not accepted yet, or not lately."""
        request = current_request.get()
        address = None if request is None else request.address
        if self._failures is not None and digest not in self._accepted:
            self._failures.check(address)
        try:
            known = await self._checked(authorization)
        except Unauthenticated:
            self._accepted.pop(digest, None)  # it was revoked
            if self._failures is not None:
                self._failures.count(address)
            raise
        self._accepted[digest] = known
        if len(self._accepted) > _CACHED_KEYS:
            self._accepted.popitem(last=False)
        return known

    async def _checked(self, authorization: list[str]) -> "_KnownKey":
        key = _bearer_token(authorization)
        key_id = key_id_of(key)
        known = await self._looked_up(key_id) if key_id else None
        offered = hash_key(key, self._pepper)
        if not same_hash(offered, known.stored.key_hash if known else bytes(32)) or known is None:
            raise _invalid_token()
        if known.stored.revoked_at is not None:
            raise _invalid_token()
        return known

    async def _looked_up(self, key_id: UUID) -> "_KnownKey | None":
        known = self._known.get(key_id)
        if known is not None and known.fresh_until > time.monotonic():
            return known
        looking = self._looking.get(key_id)
        if looking is None:
            # All requests of a busy client find its key stale at the same moment.
            looking = self._looking[key_id] = asyncio.create_task(self._look_up(key_id))
            looking.add_done_callback(lambda task: self._looked(key_id, task))
        return await asyncio.shield(looking)

    def _looked(self, key_id: UUID, looking: "asyncio.Task[_KnownKey | None]") -> None:
        if self._looking.get(key_id) is looking:
            del self._looking[key_id]
        if not looking.cancelled():
            looking.exception()  # seen, should nobody wait for it any more

    async def _look_up(self, key_id: UUID) -> "_KnownKey | None":
        now, changes = time.monotonic(), self._changes
        stored = await self._find(key_id)
        if stored is None:
            return None
        is_current = changes == self._changes  # or the old row would outlive the change
        known = _KnownKey(stored, now, now + self._cache_seconds if is_current else 0.0)
        if known.fresh_until > now:
            self._keep(known)
        return known

    def _keep(self, known: "_KnownKey") -> None:
        self._let_go(self._known.pop(known.stored.id, None))
        self._known[known.stored.id] = known
        if len(self._known) > _CACHED_KEYS:
            self._let_go(self._known.popitem(last=False)[1])

    @staticmethod
    def _let_go(known: "_KnownKey | None") -> None:
        """Only what `forget` can find may stay fresh, or it would outlive being revoked."""
        if known is not None:
            known.fresh_until = 0.0


class _KnownKey:
    """A key as it was found, with what follows from it; it is looked up again when not fresh."""

    __slots__ = ("expires", "fresh_until", "principal", "stored")

    def __init__(self, stored: StoredKey, asked: float, fresh_until: float) -> None:
        self.stored = stored
        self.fresh_until = fresh_until  # by the monotonic clock, as all here
        self.expires = math.inf if stored.seconds_left is None else asked + stored.seconds_left
        subject = f"key:{stored.principal_id or stored.id}"
        self.principal = Principal(f"key:{stored.id}", stored.scopes, stored.id, subject)


def _bearer_token(authorization: list[str]) -> str:
    scheme, _, token = authorization[0].strip().partition(" ")
    if len(authorization) != 1 or scheme.lower() != "bearer":
        raise _invalid_token()
    return token.strip()


def _invalid_token() -> Unauthenticated:
    return Unauthenticated(_HOW, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
