from typing import Annotated, Literal, get_args
from uuid import UUID

from pydantic import Field

from kingpost.http.types import Instant, Integer, Line, Schema

Scope = Literal[
    "users:read",
    "users:write",
    "users:*",
    "posts:read",
    "posts:write",
    "posts:*",
    "audit:read",
    "keys:admin",
]
ALL_SCOPES: tuple[str, ...] = get_args(Scope)
WHOLE_SERVICE = ("users:*", "posts:*", "audit:read", "keys:admin")


class KeyCreate(Schema):
    name: Annotated[Line, Field(max_length=100)]
    scopes: list[Scope] = Field(min_length=1, max_length=len(ALL_SCOPES))
    expires_in_days: Annotated[Integer, Field(ge=1, le=3650)] | None = Field(
        None, description="Without it the key does not expire."
    )


class KeyRotation(Schema):
    overlap_seconds: Annotated[Integer, Field(ge=0, le=604_800)] = Field(
        3600, description="For how long the old key still works."
    )


class KeyRead(Schema):
    id: UUID
    name: str
    scopes: list[str]
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None


class KeyCreated(KeyRead):
    key: str = Field(description="The key itself. It is shown only now.")
