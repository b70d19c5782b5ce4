from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from kingpost.http.types import Filter, Id, Instant, Line, Schema


class AuditRead(Schema):
    id: UUID
    at: Instant
    actor: str | None
    request_id: str | None
    action: Literal["create", "update", "delete"]
    entity: str
    entity_id: str
    changes: dict[str, Any]


class AuditFilter(Filter):
    entity: Literal["users", "posts", "keys"] | None = None
    entity_id: Id | None = None
    actor: Annotated[Line, Field(max_length=200)] | None = None
    since: Instant | None = Field(None, description="At this time or later.")
    until: Instant | None = Field(None, description="Before this time.")
