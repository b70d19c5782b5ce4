"""What a running service carries on `app.state.kingpost`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from starlette.requests import Request

from kingpost.database import Database
from kingpost.idempotency import Idempotency
from kingpost.pagination import Cursors
from kingpost.ratelimit import RateLimiter
from kingpost.security import Authenticator

if TYPE_CHECKING:
    from kingpost.server import State


class KeyView(Protocol):
    """What the command line shows of a key; times are timezone-aware."""

    @property
    def id(self) -> UUID:
        """The id of the key."""
        ...

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def scopes(self) -> Sequence[str]:
        """What it may do."""
        ...

    @property
    def created_at(self) -> datetime:
        """When it was made."""
        ...

    @property
    def expires_at(self) -> datetime | None:
        """From then on it is refused."""
        ...

    @property
    def revoked_at(self) -> datetime | None:
        """Since then it is refused."""
        ...

    @property
    def last_used_at(self) -> datetime | None:
        """When it was last accepted, exact to a minute."""
        ...


class NewKey(KeyView, Protocol):
    """A key just made."""

    @property
    def key(self) -> str:
        """The key itself, known only now."""
        ...


class KeyAdmin(Protocol):
    """How the command line manages the keys of a service."""

    async def create(
        self, name: str, scopes: Sequence[str], expires_in_days: int | None = None
    ) -> NewKey:
        """Makes a key; raises Invalid for a scope that does not exist."""
        ...

    async def list(self) -> Sequence[KeyView]:
        """All keys, the newest first, revoked and expired ones included."""
        ...

    async def revoke(self, key_id: UUID) -> None:
        """Ends a key; raises NotFound."""
        ...

    async def rotate(self, key_id: UUID) -> NewKey:
        """Makes a successor with the same name and scopes; the old key ends soon."""
        ...

    def all_scopes(self) -> Sequence[str]:
        """Scopes that together allow everything."""
        ...


@dataclass(slots=True)
class Runtime:
    """The living parts of a service, made in `create_app` and nowhere else.

    Attributes:
        database: connections and units of work.
        authenticator: tells who asks.
        cursors: signs the cursors of lists.
        max_body_bytes: largest request body, in bytes, unless a route has its own limit.
        state: readiness and metrics, shared with the server.
        keys: manages API keys; None for a service without, which has another authenticator, such
            as `NoAuthentication()`.
        idempotency: remembers the answers of `idempotent()` routes; None for a service without.
        is_key_required: every `idempotent()` route wants an Idempotency-Key.
        limiter: counts the requests of each principal; None for no limit.
    """

    database: Database
    authenticator: Authenticator
    cursors: Cursors
    max_body_bytes: int
    state: "State"
    keys: KeyAdmin | None = None
    idempotency: Idempotency | None = None
    is_key_required: bool = False
    limiter: RateLimiter | None = None


def runtime_of(request: Request) -> Runtime:
    """The runtime of the service that this request came to."""
    runtime: Runtime = request.scope["app"].state.kingpost
    return runtime
